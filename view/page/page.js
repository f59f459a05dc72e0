/* The live page: asks its server four times a second for the newest windows, and twice a second for the last 10 s again, so
 * that what late events change shows. What others have written is shown as text. Nothing grows with time. */
"use strict";

const POLL_MS = 250, REREAD_MS = 500, SLOW_MS = 1000, CLOSE_MS = 1000, ANSWER_MS = 5000;
const ROWS_SHOWN = 20, TEXT_SHOWN = 200, REPORTS_SHOWN = 8, REPORT_ROWS = 20;

const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const number = new Intl.NumberFormat("en");
const shown = (ms) => new Date(ms).toISOString().slice(11, 19);
const cut = (text) => text.length > TEXT_SHOWN ? text.slice(0, TEXT_SHOWN) + "… (" + number.format(text.length) + " characters)" : text;

/* ---- the server ---- */

let token = "", aheadMs = 0; /* how far the server's clock is ahead of this one */
const serverNow = () => Date.now() + aheadMs;

class Refused extends Error {
    constructor(status, text) {
        super(text);
        this.status = status;
    }
}

async function ask(path) {
    const headers = token ? {Authorization: "Bearer " + token} : {};
    const answer = await fetch(path, {headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS)});
    const text = await answer.text();
    const time = Number(answer.headers.get("Aforo-Time"));
    if (time) {
        aheadMs = time - Date.now();
    }
    if (!answer.ok) {
        throw new Refused(answer.status, text.trim());
    }
    return text;
}

/* ---- windows ---- */

/* The windows of one resolution: a ring of counts, so that a page that is open for a day takes no more than one just opened. */
class Windows {
    constructor(name, width, n) {
        Object.assign(this, {name, width, n});
        this.clear();
    }

    clear() {
        this.number = new Float64Array(this.n).fill(-1); /* which window is at that place */
        this.count = new Float64Array(this.n);
        this.late = new Uint8Array(this.n);
        this.closedThrough = 0; /* windows before this were shown as closed */
    }

    at(window) {
        const place = window % this.n;
        return this.number[place] === window ? this.count[place] : 0;
    }

    isLate(window) {
        const place = window % this.n;
        return this.number[place] === window && this.late[place] === 1;
    }

    /* Returns how many events more than before. */
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

    /* Reads the windows of the last `back` ms. Without a row a window has no events. Returns the events that came late. */
    async read(back) {
        const now = serverNow();
        const from = Math.max(0, Math.floor((now - back) / this.width)), to = Math.floor(now / this.width) + 1;
        const text = await ask("/counts/" + this.name + "?partial=1&format=csv&from=" + from * this.width + "&to=" +
                               (to * this.width + this.width));
        const found = new Map();
        for (const line of text.split("\n").slice(1)) {
            const [start, count] = line.split(",");
            if (count !== undefined) {
                found.set(Math.round(Date.parse(start) / this.width), Number(count));
            }
        }
        let late = 0;
        for (let window = from; window <= to; window++) {
            late += this.set(window, found.get(window) || 0);
        }
        this.closedThrough = Math.max(this.closedThrough, this.open(now));
        return late;
    }
}

const windows = {
    "10ms": new Windows("10ms", 10, 1024),
    "1s": new Windows("1s", 1000, 640),
    "1min": new Windows("1min", 60000, 1500),
};
const spans = {"10ms": 10000, "1s": 600000, "1min": 86400000};

/* ---- bars ---- */

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const sync = uPlot.sync("aforo");

function hatch(context, line) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.strokeStyle = line;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(-1, 7);
    pen.lineTo(7, -1);
    pen.stroke();
    return context.createPattern(tile, "repeat");
}

class Chart {
    constructor(name) {
        this.windows = windows[name];
        this.span = spans[name];
        this.box = byId("c-" + name);
        this.about = byId("a-" + name);
        this.make();
        new ResizeObserver(() => this.plot.setSize(this.size())).observe(this.box);
    }

    size() {
        return {width: Math.max(200, this.box.clientWidth), height: 176};
    }

    make() {
        if (this.plot) {
            this.plot.destroy();
        }
        const bars = uPlot.paths.bars({size: [0.8, 40], align: 1});
        const axis = {stroke: colour("--faint"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false},
                      font: "12px system-ui, sans-serif"};
        const series = (extra) => ({paths: bars, points: {show: false}, width: 1, ...extra});
        this.plot = new uPlot({
            ...this.size(),
            padding: [14, 24, 0, 0],
            tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
            legend: {show: false},
            cursor: {sync: {key: sync.key, scales: ["x", null]}, drag: {x: false, y: false}, y: false,
                     points: {show: false}},
            hooks: {setCursor: [() => this.tell()], draw: [(plot) => this.mark(plot)]},
            scales: {x: {time: true}, y: {range: (plot, low, high) => [0, Math.max(4, high * 1.05)]}},
            axes: [{...axis, size: 28, space: 70, values: (plot, at) => at.map((t) => this.span > 3600000 ? shown(t * 1000).slice(0, 5)
                                                                                                : shown(t * 1000))},
                   {...axis, size: 56, values: (plot, at) => at.map((n) => n % 1 ? "" : number.format(n))}],
            series: [{},
                     series({stroke: colour("--bar")}),
                     series({stroke: colour("--bar"), fill: colour("--bar")}),
                     series({stroke: colour("--late"), fill: (plot) => hatch(plot.ctx, colour("--late"))})],
        }, [[], [], [], []], this.box);
        this.draw();
    }

    draw() {
        const {width} = this.windows, now = serverNow(), open = this.windows.open(now);
        const last = Math.floor(now / width), first = last - this.span / width + 1;
        const at = [], hollow = [], solid = [], late = [];
        for (let window = first; window <= last; window++) {
            const count = this.windows.at(window), isLate = this.windows.isLate(window);
            at.push(window * width / 1000);
            hollow.push(count > 0 && window >= open && !isLate ? count : null);
            solid.push(count > 0 && window < open && !isLate ? count : null);
            late.push(count > 0 && isLate ? count : null);
        }
        this.plot.setData([at, hollow, solid, late], false);
        this.plot.setScale("x", {min: first * width / 1000, max: (last + 1) * width / 1000});
        this.tell();
    }

    /* What shows without colours, and where a bar is a pixel wide: a tick above each window that a late event changed, and a
     * dashed line where the open ones begin. */
    mark(plot) {
        const {ctx, bbox} = plot, {width} = this.windows, dot = devicePixelRatio;
        const x = (window) => Math.round(plot.valToPos(window * width / 1000, "x", true));
        const {min, max} = plot.scales.x, open = this.windows.open(serverNow());
        if (min === null || min === undefined) {
            return;
        }
        ctx.save();
        ctx.fillStyle = colour("--late");
        const tick = Math.max(2 * dot, x(1) - x(0));
        for (let window = Math.ceil(min * 1000 / width); window * width < max * 1000; window++) {
            if (this.windows.isLate(window)) {
                ctx.fillRect(x(window), bbox.top - 8 * dot, tick, 6 * dot);
            }
        }
        ctx.strokeStyle = colour("--faint");
        ctx.lineWidth = dot;
        ctx.setLineDash([3 * dot, 3 * dot]);
        ctx.beginPath();
        ctx.moveTo(x(open), bbox.top);
        ctx.lineTo(x(open), bbox.top + bbox.height);
        ctx.stroke();
        ctx.restore();
    }

    /* Below the bars: the window under the cursor, else the last one that is closed. */
    tell() {
        const {width} = this.windows, left = this.plot ? this.plot.cursor.left : -1;
        const open = this.windows.open(serverNow());
        let window = open - 1;
        if (left >= 0) {
            window = Math.floor(this.plot.posToVal(left, "x") * 1000 / width + 1e-6);
        }
        const state = this.windows.isLate(window) ? "changed by a late event" : window < open ? "closed" : "open";
        const time = new Date(window * width).toISOString().slice(11, width < 1000 ? 22 : 19);
        this.about.textContent = time + ": " + number.format(this.windows.at(window)) + " events, " + state;
    }
}

let charts = [];

/* ---- tables ---- */

/* Fills a table; columns: [title, kind]. Cells are text, whatever is in them. Only what changed is touched. */
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
            if (cell.textContent !== value) {
                cell.textContent = value;
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
        rows.push([new Date(window * 1000).toISOString().slice(0, 19) + "Z", number.format(seconds.at(window)),
                   seconds.isLate(window) ? "changed by a late event" : "closed"]);
    }
    fill(byId("t-windows"), [["second (UTC)"], ["events", "number"], ["state"]], rows);
}

/* ---- nodes ---- */

let nodesBefore = new Map(), nodesBeforeMs = 0, share = [];
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
        const gone = node.state === "gone";
        return [node.node, gone ? "gone since " + shown(Date.parse(node.last_seen)) : "here",
                node.rate === undefined ? "–" : number.format(Math.round(node.rate)), number.format(node.counted),
                number.format(sum(node.refused)), number.format(node.lag_ms) + " ms",
                node.complete_through ? shown(Date.parse(node.complete_through)) : "–", node.version,
                shown(Date.parse(node.last_seen))];
    });
    fill(byId("t-nodes"), [["node", "long"], ["state"], ["events/s", "number"], ["counted", "number"], ["refused", "number"],
                           ["lag", "number"], ["complete through"], ["version"], ["last seen"]],
         rows, nodes.map((node) => node.state));
    fill(byId("t-refused"), [["reason", "long"], ["events", "number"]],
         [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, events]) => [reason, number.format(events)]));
    byId("nodes").textContent = here.length + " of " + nodes.length;
    byId("lag").textContent = here.length ? number.format(Math.max(...here.map((node) => node.lag_ms))) + " ms" : "–";
    share = [...share, [received, refused]].slice(-60); /* of the last minute */
    const [first, last] = [share[0], share[share.length - 1]];
    const asked = last[0] - first[0];
    byId("refused").textContent = asked > 0 ? (100 * (last[1] - first[1]) / asked).toFixed(2) + " %" : "0 %";
    nodesBefore = new Map(nodes.map((node) => [node.node, node]));
    nodesBeforeMs = now;
}

/* ---- reports ---- */

const figure = (value) => value === null ? "–"
    : Array.isArray(value) ? value.map((one) => one && typeof one === "object" ? one.value + " " + number.format(one.count) : one).join(", ")
        : typeof value === "number" ? number.format(value) : String(value);

function reportTable(report, i) {
    const id = "h-report-" + i;
    let section = byId("reports").children[i];
    if (!section) {
        section = document.createElement("section");
        section.setAttribute("aria-labelledby", id);
        const title = document.createElement("h2"), box = document.createElement("div"), note = document.createElement("p");
        title.id = id;
        box.className = "table";
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-labelledby", id);
        box.append(document.createElement("table"));
        note.className = "about";
        section.append(title, box, note);
        byId("reports").append(section);
    }
    return section;
}

async function showReport(report, i) {
    const section = reportTable(report, i), [title, box, note] = section.children;
    const window = report.windows[0], path = "/reports/" + encodeURIComponent(report.name) + "/" + encodeURIComponent(window);
    let answer, why = "";
    title.textContent = "Report " + cut(report.name) + ", the last " + window;
    try {
        answer = JSON.parse(await ask(path + "?last=1&partial=1&format=json&top=" + REPORT_ROWS));
    } catch (error) {
        if (!(error instanceof Refused) || error.status === 503 && !error.message.includes("set aside")) {
            throw error;
        }
        [answer, why] = [{rows: []}, error.message];
    }
    const fields = report.by || [], figures = report.show || [];
    const rows = answer.rows.map((row) => [...fields.map((field) => figure(row.key[field])),
                                           ...figures.map((name) => figure(row.values[name])), row.state]);
    fill(box.firstChild, [...fields.map((field) => [field, "long"]), ...figures.map((name) => [name, "number"]), ["state"]], rows);
    note.textContent = cut(why || answer.why ||
        (answer.rows.length ? "from " + answer.rows[0].start : "") +
        (rows.length >= REPORT_ROWS ? ", the " + REPORT_ROWS + " rows with the largest figure" : ""));
}

async function showReports() {
    let reports = [];
    try {
        reports = JSON.parse(await ask("/reports")).reports.filter((report) => report.windows);
    } catch (error) {
        if (!(error instanceof Refused) || error.status !== 404) {
            throw error;
        }
    }
    const some = reports.slice(0, REPORTS_SHOWN);
    while (byId("reports").children.length > some.length) {
        byId("reports").lastChild.remove();
    }
    for (const [i, report] of some.entries()) {
        await showReport(report, i);
    }
}

/* ---- what is said ---- */

let lateSeen = 0, awaySince = 0, paused = false, asOf = 0;

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
    for (const id of ["rate", "refused", "lag", "nodes"]) {
        byId(id).textContent = "–";
    }
    byId("ask").hidden = error.status !== 401;
    const why = error instanceof Refused ? "The server answers " + error.status + ": " + cut(error.message)
                                         : "The server does not answer.";
    say(why + " What is shown is of " + (asOf ? shown(asOf) + " UTC" : "never") + ", and goes on when it is back.", true);
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
}

/* ---- the round ---- */

let rereadDue = 0, slowDue = 0, reportsDue = 0, wholeDue = 0, drawDue = 0, timer = 0, running = false;

async function round() {
    const now = performance.now();
    if (now >= slowDue) {
        showNodes(JSON.parse(await ask("/nodes")));
        slowDue = now + SLOW_MS;
    }
    const whole = now >= wholeDue, reread = now >= rereadDue;
    const reads = [windows["10ms"].read(whole || reread ? 10000 : 1500)];
    if (reread) {
        reads.push(windows["1s"].read(whole ? spans["1s"] : 15000), windows["1min"].read(whole ? spans["1min"] : 180000));
    }
    lateSeen += (await Promise.all(reads))[0];
    rereadDue = reread ? now + REREAD_MS - 20 : rereadDue;
    wholeDue = whole ? now + 15000 : wholeDue;
    showWell();
    showWindows();
    if (now >= drawDue) {
        drawDue = calm.matches ? now + 1000 : 0;
        charts.forEach((chart) => chart.draw());
    }
    if (now >= reportsDue) {
        reportsDue = now + 2 * SLOW_MS;
        await showReports();
    }
}

/* All pages ask at the same moments of the server's clock: so a hundred of them have the same few answers read. */
function plan() {
    clearTimeout(timer);
    if (!paused && document.visibilityState === "visible") {
        timer = setTimeout(run, awaySince ? 500 : POLL_MS - serverNow() % POLL_MS);
    }
}

async function run() {
    if (running) {
        return;
    }
    running = true;
    try {
        if (awaySince) { /* all of it anew: nothing of before is mistaken for late */
            slowDue = wholeDue = rereadDue = 0;
            Object.values(windows).forEach((one) => { one.closedThrough = 0; });
            share = [];
        }
        await round();
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
    slowDue = wholeDue = rereadDue = reportsDue = 0;
    Object.values(windows).forEach((one) => { one.closedThrough = 0; });
    run();
}

function begin() {
    charts = ["10ms", "1s", "1min"].map((name) => new Chart(name));
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
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
        matchMedia(query).addEventListener("change", () => charts.forEach((chart) => chart.make()));
    }
    run();
}

begin();
