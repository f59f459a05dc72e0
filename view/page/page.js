/* The live page: asks its server four times a second for the newest windows, and twice a second for those that show
 * late events; less often if the server says so. Foreign text is only shown as text. Nothing grows with time. The bars
 * are in chart.js, the reports in reports.js. */
"use strict";

const POLL_MS = 250, AWAY_MS = 500, CLOSE_MS = 1000, ANSWER_MS = 5000, CLOCK_MS = 1000, CLOCK_SLEW_MS = 1;
/* how many polls apart: windows that late events may change, nodes, reports, and all windows of all charts */
const REREAD = 2, NODES = 4, REPORTS = 8, WHOLE = 60;
const ROWS_SHOWN = 20, TEXT_SHOWN = 200, REPORTS_SHOWN = 8, REPORT_ROWS = 20, BOARD_ROWS = 40;

const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const number = new Intl.NumberFormat("en");
const iso = (ms) => new Date(ms).toISOString();
const shown = (ms) => iso(ms).slice(11, 19);
const cut = (text) => text.length > TEXT_SHOWN ? text.slice(0, TEXT_SHOWN) + "… (" + number.format(text.length) + " characters)" : text;

/* ---- the server ---- */

/* how far the server's clock is ahead of this one; the time between questions, as the server says */
let token = "", aheadMs = 0, paceMs = POLL_MS;
const serverNow = () => Date.now() + aheadMs;

/* An answer is slightly old, so of those that nearly agree, the one with the latest time is closest. If one of the
 * clocks was set, no window counts as shown closed; otherwise current ones would be taken for late. */
function setClock(timeMs) {
    const ahead = timeMs - Date.now(), wasSet = Math.abs(ahead - aheadMs) >= CLOCK_MS;
    aheadMs = wasSet ? ahead : Math.max(ahead, aheadMs - CLOCK_SLEW_MS);
    if (wasSet) {
        forgetClosed();
    }
}

class Refused extends Error {
    constructor(status, text) {
        super(text);
        this.status = status;
    }
}

class Silent extends Error {}

async function ask(path) {
    const headers = token ? {Authorization: "Bearer " + token} : {};
    let answer, text;
    try {
        answer = await fetch(path, {headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS)});
        text = await answer.text();
    } catch (error) {
        throw new Silent(error.message);
    }
    if (!answer.ok) {
        throw new Refused(answer.status, text.trim());
    }
    return text;
}

/* ---- windows ---- */

/* The windows of one resolution: a ring of counts, so that a page open for a day takes no more memory than a new
 * one. */
class Windows {
    constructor(name, width, n) {
        Object.assign(this, {name, width, n});
        this.clear();
    }

    clear() {
        this.number = new Float64Array(this.n).fill(-1); /* the window at each place */
        this.count = new Float64Array(this.n);
        this.late = new Uint8Array(this.n);
        this.closedThrough = 0; /* windows before this were shown as closed */
        this.takenMs = 0;
    }

    at(window) {
        const place = window % this.n;
        return this.number[place] === window ? this.count[place] : 0;
    }

    isLate(window) {
        const place = window % this.n;
        return this.number[place] === window && this.late[place] === 1;
    }

    /* Returns by how many events the count grew. */
    set(window, count) {
        const place = window % this.n;
        const before = this.at(window);
        if (this.number[place] !== window) {
            this.number[place] = window;
            this.late[place] = 0;
        }
        this.count[place] = count;
        const more = window < this.closedThrough ? count - before : 0;
        if (more > 0) {
            this.late[place] = 1;
        }
        return more > 0 ? more : 0;
    }

    /* The first window that counts as open at that time. */
    open(now) {
        return Math.floor((now - CLOSE_MS) / this.width);
    }

    /* Whether rereading would not reach back to what was last read. */
    isBehind() {
        return serverNow() - this.takenMs + CLOSE_MS > reread(this.name);
    }

    /* Takes the answer of /live at that time. Returns how many events came late, and whether closed windows changed. */
    take(now, {from, counts}) {
        let first = Math.round(from / this.width), late = 0, changed = false;
        counts.forEach((count, i) => {
            changed = changed || first + i < this.closedThrough && count !== this.at(first + i);
            late += this.set(first + i, count);
        });
        this.takenMs = now;
        this.closedThrough = Math.max(this.closedThrough, this.open(now));
        return {late, changed};
    }
}

const windows = {
    "10ms": new Windows("10ms", 10, 1024),
    "1s": new Windows("1s", 1000, 640),
    "1min": new Windows("1min", 60000, 1500),
};
const spans = {"10ms": 10000, "1s": 600000, "1min": 86400000};
/* How many ms are reread each time; a change in a closed window causes the finer windows in it to be reread. */
const rereads = {"10ms": 2100, "1s": 75000, "1min": 7200000};
const reread = (name) => rereads[name] + paceMs - POLL_MS;
const finer = {"1s": "10ms", "1min": "1s"};
const charts = []; /* filled by chart.js */

function forgetClosed() {
    Object.values(windows).forEach((one) => { one.closedThrough = 0; });
}

/* Asks once for the windows of the last `back` ms, by name, and for the nodes (docs/http-api.md). Returns
 * {time_ms, "10ms": ..., nodes}. */
async function askLive(back, nodes) {
    const words = Object.entries(back).map(([name, ms]) => name + "=" + Math.ceil(ms / windows[name].width + 1));
    const answer = JSON.parse(await ask("/live?" + words.join("&") + (nodes ? "&nodes=1" : "")));
    setClock(answer.time_ms);
    return answer;
}

/* ---- tables ---- */

/* Fills a table; columns: [title, kind]. Cells are always text. Only what changed is touched. */
function fill(table, columns, rows, classes) {
    const titles = columns.map((column) => column[0]).join("\n");
    if (table.dataset.titles !== titles) {
        table.dataset.titles = titles;
        const head = table.createTHead(), row = document.createElement("tr");
        for (const [title, kind] of columns) {
            const cell = document.createElement("th");
            cell.scope = "col";
            cell.textContent = cut(title);
            cell.className = kind || "";
            row.append(cell);
        }
        head.replaceChildren(row);
    }
    const body = table.tBodies[0] || table.createTBody();
    while (body.rows.length > rows.length) {
        body.deleteRow(-1);
    }
    rows.forEach((cells, i) => {
        const row = body.rows[i] || body.insertRow();
        const name = classes ? classes[i] : "";
        if (row.className !== name) {
            row.className = name;
        }
        while (row.cells.length > cells.length) {
            row.deleteCell(-1);
        }
        cells.forEach((text, k) => {
            const cell = row.cells[k] || row.insertCell();
            const value = cut(String(text));
            if (cell.said !== value) { /* a property of ours, since asking the document takes longer */
                cell.textContent = cell.said = value;
            }
            if (cell.className !== (columns[k][1] || "")) {
                cell.className = columns[k][1] || "";
            }
        });
    });
}

function showWindows() {
    const seconds = windows["1s"], open = seconds.open(serverNow()), rows = [];
    for (let window = open - 1; window >= open - ROWS_SHOWN; window--) {
        rows.push([iso(window * 1000).slice(0, 19) + "Z", number.format(seconds.at(window)),
                   seconds.isLate(window) ? "changed by a late event" : "closed"]);
    }
    fill(byId("t-windows"), [["second (UTC)"], ["events", "number"], ["state"]], rows);
}

/* ---- nodes ---- */

let nodesBefore = new Map(), nodesBeforeMs = 0, share = [];
/* null: unknown; with the day if it is not today */
const clock = (time) => !time ? "–" : time.slice(iso(serverNow()).startsWith(time.slice(0, 10)) ? 11 : 0, 19).replace("T", " ");
const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);

function showNodes(nodes) {
    const now = performance.now(), seconds = (now - nodesBeforeMs) / 1000;
    const here = nodes.filter((node) => node.state === "here");
    const reasons = new Map();
    let received = 0, refused = 0;
    const rows = nodes.map((node) => {
        const before = nodesBefore.get(node.node);
        const known = before && seconds > 0.1 && node.counted >= before.counted && before.last_seen !== node.last_seen;
        const elapsed = known ? (Date.parse(node.last_seen) - Date.parse(before.last_seen)) / 1000 : 0;
        node.rate = node.state === "gone" ? 0 : elapsed > 0 ? (node.counted - before.counted) / elapsed : before && before.rate;
        received += node.received;
        refused += sum(node.refused);
        for (const [reason, events] of Object.entries(node.refused)) {
            reasons.set(reason, (reasons.get(reason) || 0) + events);
        }
        return [node.node, node.state === "gone" ? "gone since " + clock(node.last_seen) : "here",
                node.rate === undefined ? "–" : number.format(Math.round(node.rate)), number.format(node.counted),
                number.format(sum(node.refused)), number.format(node.lag_ms) + " ms",
                clock(node.complete_through), node.version, clock(node.last_seen)];
    });
    fill(byId("t-nodes"), [["node", "long"], ["state"], ["events/s", "number"], ["counted", "number"], ["refused", "number"],
                           ["lag", "number"], ["complete through"], ["version"], ["last seen"]],
         rows, nodes.map((node) => node.state));
    fill(byId("t-refused"), [["reason", "long"], ["events", "number"]],
         [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, events]) => [reason, number.format(events)]));
    byId("nodes").textContent = here.length + " of " + nodes.length;
    const visible = here.map((node) => node.visible_p99_ms).filter(Boolean);
    byId("visible").textContent = visible.length ? "≤ " + number.format(Math.max(...visible)) + " ms" : "–";
    byId("lag").textContent = here.length ? number.format(Math.max(...here.map((node) => node.lag_ms))) + " ms" : "–";
    share = [...share, [received, refused]].slice(-60); /* the last minute */
    const [first, last] = [share[0], share[share.length - 1]];
    const asked = last[0] - first[0];
    byId("refused").textContent = asked > 0 ? (100 * (last[1] - first[1]) / asked).toFixed(2) + " %" : "0 %";
    nodesBefore = new Map(nodes.map((node) => [node.node, node]));
    nodesBeforeMs = now;
}

/* ---- the status line ---- */

let lateSeen = 0, awaySince = 0, paused = false, asOf = 0, hasReports = false;
function say(text, bad) {
    const status = byId("status");
    if (status.textContent !== text) {
        status.textContent = text;
    }
    status.className = bad ? "bad" : "";
}

function showAway(error) {
    awaySince = awaySince || Date.now();
    document.body.classList.add("stale");
    for (const id of ["rate", "refused", "visible", "lag", "nodes"]) {
        byId(id).textContent = "–";
    }
    byId("ask").hidden = error.status !== 401;
    const why = error instanceof Refused ? "The server answers " + error.status + ": " + cut(error.message).replace(/[^.?!]$/, "$&.")
        : error instanceof Silent ? "The server does not answer."
            : "What answers is not this page's server, or another version of it: " + cut(error.message) + ".";
    say(why + (asOf ? " What is shown is of " + shown(asOf) + " UTC, and goes on when it is back." : " The page goes on when it is back."), true);
}

function showWell() {
    document.body.classList.remove("stale");
    byId("ask").hidden = true;
    awaySince = 0;
    asOf = serverNow();
    byId("late").textContent = number.format(lateSeen);
    const seconds = windows["1s"];
    byId("rate").textContent = number.format(seconds.at(seconds.open(asOf) - 1));
    say(paused ? "Paused." : "", false);
    if (!performance.getEntriesByName("aforo-figures").length) {
        performance.mark("aforo-figures"); /* the first */
    }
}

/* ---- the round ---- */

/* windows to read in full once more, since other keys of a late event may have followed */
let again = new Set();
/* before: the previous round */
let everything = true, before = 0, drawn = 0, timer = 0, running = false;

/* Round number `turn` since 1970 by the server's clock: all pages ask the same at the same moments, so that a hundred
 * of them can share one answer. */
async function round(turn, all) {
    /* a round that took too long skips others, one of which may have been due for it */
    const is = (every) => all || Math.floor(turn / every) !== Math.floor(before / every);
    const back = (name) => is(WHOLE) || is(REREAD) && again.has(name) || windows[name].isBehind() ? spans[name] : reread(name);
    const names = is(REREAD) ? ["10ms", "1s", "1min"] : ["10ms"];
    const answer = await askLive(Object.fromEntries(names.map((name) => [name, back(name)])), is(NODES));
    paceMs = answer.next_ms;
    const take = (one, name) => [name, windows[name].take(one.time_ms, one[name])];
    const some = names.map((name) => take(answer, name));
    const doubtful = is(WHOLE) ? [] : some.filter(([name, {changed}]) => changed && finer[name]).map(([name]) => finer[name]);
    if (doubtful.length) {
        const more = await askLive(Object.fromEntries(doubtful.map((name) => [name, spans[name]])), false);
        some.push(...doubtful.map((name) => take(more, name)));
    }
    again = is(REREAD) ? new Set(doubtful) : again;
    const reports = is(WHOLE) || is(REPORTS) && hasReports;
    before = turn;
    /* only seconds: the others are the same events */
    lateSeen += some.reduce((sum, [name, {late}]) => sum + (name === "1s" ? late : 0), 0);
    if (answer.nodes) {
        showNodes(answer.nodes);
    }
    showWell();
    showWindows();
    if (charts.length === 0 && typeof makeCharts === "function") {
        setTimeout(makeCharts); /* after what is there was painted */
    } else if (!calm.matches || all || turn - drawn >= 1000 / POLL_MS) {
        drawn = turn;
        charts.forEach((chart) => chart.draw());
    }
    if (reports) {
        await showReports();
    }
}

function plan() {
    clearTimeout(timer);
    if (!paused && document.visibilityState === "visible") {
        timer = setTimeout(run, awaySince ? AWAY_MS : paceMs - serverNow() % paceMs);
    }
}

async function run() {
    if (running) {
        return;
    }
    running = true;
    const all = everything || awaySince > 0;
    everything = false;
    try {
        if (all) { /* so that earlier counts are not mistaken for late events */
            forgetClosed();
        }
        if (awaySince) {
            share = [];
        }
        await round(Math.round(serverNow() / POLL_MS), all);
    } catch (error) {
        showAway(error);
    }
    running = false;
    plan();
}

function setPaused(on) {
    paused = on;
    byId("pause").setAttribute("aria-pressed", String(on));
    byId("pause").textContent = on ? "Go on" : "Pause";
    if (on) {
        say("Paused.", false);
        clearTimeout(timer);
    } else {
        goOn();
    }
}

function goOn() {
    everything = true;
    run();
}

byId("pause").addEventListener("click", () => setPaused(!paused));
byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    token = byId("token").value.trim();
    byId("token").value = "";
    goOn();
});
document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && !paused) {
        goOn();
    }
});
run();
