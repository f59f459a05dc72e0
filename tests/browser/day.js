/* A clock and a server for the live page, within the page: timers fire one after the other, as fast as it can do its rounds, and what it
 * asks is answered with events, late corrections, reports whose rows change, and a node that goes and comes back. */
"use strict";

(() => {
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
    AbortSignal.timeout = () => undefined; /* each of a million would live for seconds of the real clock */

    const widths = {"10ms": 10, "1s": 1000, "1min": 60000};
    const count = (window, width) => Math.floor((1 + window % 7) * width / 10) + (now - window * width > 3000 && window % 50 === 0 ? 1 : 0);

    function counts(name, n) {
        const width = widths[name], first = Math.floor(now / width) - n + 1;
        return {from: first * width, counts: Array.from({length: n}, (_, i) => (first + i) * width < begun ? 0 : count(first + i, width))};
    }

    function live(query) {
        const answer = {time_ms: now};
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

    window.fetch = async (path) => {
        const url = new URL(path, location.href);
        const text = url.pathname === "/live" ? live(url.searchParams)
            : url.pathname === "/reports" ? JSON.stringify({reports: [{name: "r", by: ["route"], windows: ["1min"], show: ["count", "top5(ip)"]}]})
                : url.pathname.startsWith("/reports/") ? report() : "";
        return {ok: true, status: 200, text: async () => text};
    };

    async function turn() {
        for (let i = 0; i < 50; i++) {
            await null; /* what was answered is taken and shown */
        }
        const [id, [at, act]] = [...timers].reduce((a, b) => b[1][0] < a[1][0] ? b : a);
        timers.delete(id);
        now = Math.max(now, at);
        act();
    }

    /* Lets so much time pass; says how many rounds of timers that were. */
    window.passTime = async (ms) => {
        let turns = 0;
        for (until = now + ms; now < until; turns++) {
            while (timers.size === 0) {
                await new Promise((done) => realTimeout(done));
            }
            await turn();
            if (turns % 100 === 0) {
                await new Promise((done) => realTimeout(done)); /* what is drawn is painted */
            }
        }
        return turns;
    };
})();
