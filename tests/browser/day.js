/* A clock and a server for the live page, within the page: timers fire one after the other, as fast as it can do its rounds, and what it
 * asks is answered with events, late corrections, reports whose rows change, a node that goes and comes back, and for a second every ten
 * minutes not at all. The page's code is the one that is served, and each round's drawing is done; a frame is painted now and then. */
"use strict";

(() => {
    const PAINTED = 400; /* turns */
    const SETTLED = 50, PATIENCE = 10000; /* turns of the queue of promises */
    const begun = Date.UTC(2026, 0, 1), RealDate = Date, realTimeout = setTimeout.bind(window);
    const timers = new Map();
    let now = begun, next = 1, until = begun;
    window.Date = class extends RealDate {
        constructor(...given) {
            super(...(given.length ? given : [now]));
        }

        static now() {
            return now;
        }
    };
    window.setTimeout = (act, ms = 0) => {
        timers.set(next, [now + ms, act]);
        return next++;
    };
    window.clearTimeout = (id) => timers.delete(id);
    performance.now = () => now - begun;
    AbortSignal.timeout = () => undefined; /* each of a million would live for seconds of the real clock */

    const widths = {"10ms": 10, "1s": 1000, "1min": 60000};
    const count = (window, width) => Math.floor((1 + window % 7) * width / 10) + (now - window * width > 3000 && window % 50 === 0 ? 1 : 0);

    function counts(name, n) {
        const width = widths[name], first = Math.floor(now / width) - n + 1;
        return {from: first * width, counts: Array.from({length: n}, (_, i) => count(first + i, width))}; /* the server has counted for long */
    }

    function live(query) {
        const answer = {time_ms: now, next_ms: 250};
        for (const [name, value] of query) {
            answer[name] = name === "nodes" ? nodes() : counts(name, Number(value));
        }
        return JSON.stringify(answer);
    }

    function nodes() {
        const seen = new RealDate(now).toISOString(), away = now / 60000 % 2 < 1;
        return ["a", "b", "c"].map((node) => ({node, version: "1", started: seen, received: now % 1e9, counted: now % 1e9 - 9,
            refused: {malformed: 9}, lag_ms: 3, complete_through: seen, visible_p99_ms: 100, last_seen: seen,
            state: node === "c" && away ? "gone" : "here"}));
    }

    const report = () => JSON.stringify({rows: Array.from({length: 1 + now / 2000 % 20 | 0}, (_, i) => (
        {start: "", state: "open", key: {route: "/" + (now / 2000 + i | 0)}, values: {count: i, "top5(ip)": [{value: "x" + now, count: i}]}}))});

    const isAway = () => now % 600000 >= 20000 && now % 600000 < 21000;

    window.fetch = async (path) => {
        if (isAway()) {
            throw new TypeError("no server");
        }
        const [name, query] = path.split("?");
        const text = name === "/live" ? live(query.split("&").map((word) => word.split("=")))
            : name === "/reports" ? JSON.stringify({reports: [{name: "r", by: ["route"], windows: ["1min"], show: ["count", "top5(ip)"]}]})
                : name.startsWith("/reports/") ? report() : "";
        return {ok: true, status: 200, text: async () => text};
    };

    /* Until the page has taken and shown what was answered, and waits for its next round. */
    async function settle() {
        for (let i = 0; i < SETTLED || timers.size === 0; i++) {
            await (i % PATIENCE === PATIENCE - 1 ? new Promise((done) => realTimeout(done)) : null);
        }
    }

    async function turn() {
        await settle();
        const [id, [at, act]] = [...timers].reduce((a, b) => b[1][0] < a[1][0] ? b : a);
        timers.delete(id);
        now = Math.max(now, at);
        act();
    }

    /* Lets so much time pass; says how many rounds of timers that were. */
    window.passTime = async (ms) => {
        let turns = 0;
        for (until = now + ms; now < until; turns++) {
            await turn();
            if (turns % PAINTED === 0) {
                await new Promise((done) => requestAnimationFrame(done)); /* what is drawn is painted */
            }
        }
        return turns;
    };
})();
