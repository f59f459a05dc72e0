/* The bars: uPlot draws the windows that page.js keeps. Loaded last, so that the first figures need not wait for it. */
"use strict";

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
        this.chosen = null; /* the window chosen by keys; null: none, the mouse points */
        this.make();
        new ResizeObserver(() => this.plot.setSize(this.size())).observe(this.box);
        this.box.addEventListener("keydown", (event) => this.press(event));
        this.box.addEventListener("blur", () => this.choose(null));
        this.box.addEventListener("mousemove", () => { this.chosen = null; });
    }

    /* Arrows move from window to window, with Shift by ten; Escape returns to the newest closed one. */
    press(event) {
        const {first, last} = this.range(), from = this.chosen === null ? this.windows.open(serverNow()) - 1 : this.chosen;
        const step = event.shiftKey ? 10 : 1;
        const to = {ArrowLeft: from - step, ArrowRight: from + step, Home: first, End: last, Escape: null}[event.key];
        if (to !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
            event.preventDefault();
            this.choose(to === null ? null : Math.min(last, Math.max(first, to)));
        }
    }

    choose(window) {
        if (window === this.chosen) {
            return;
        }
        this.chosen = window;
        this.point();
        this.tell();
    }

    /* Puts the cursor of all charts where the chosen window is now. */
    point() {
        const {width} = this.windows;
        const left = this.chosen === null ? -10 : this.plot.valToPos((this.chosen + 0.5) * width / 1000, "x");
        this.plot.setCursor({left, top: 0}, true, true);
    }

    range() {
        const {width} = this.windows, last = Math.floor(serverNow() / width);
        return {first: last - this.span / width + 1, last};
    }

    size() {
        return {width: Math.max(200, this.box.clientWidth), height: 176};
    }

    /* Called again when the colours change: they and the hatching are read here, not for each drawing. */
    make() {
        if (this.plot) {
            this.plot.destroy();
        }
        this.late = colour("--late");
        this.faint = colour("--faint");
        let hatched = null;
        const bars = uPlot.paths.bars({size: [0.8, 40], align: 1});
        const axis = {stroke: this.faint, grid: {stroke: colour("--line"), width: 1}, ticks: {show: false},
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
                     series({stroke: this.late, fill: (plot) => (hatched = hatched || hatch(plot.ctx, this.late))})],
        }, [[], [], [], []], this.box);
        this.draw();
    }

    draw() {
        const {width} = this.windows, open = this.windows.open(serverNow()), {first, last} = this.range();
        const at = [], hollow = [], solid = [], late = [];
        for (let window = first; window <= last; window++) {
            const count = this.windows.at(window), isLate = count > 0 && this.windows.isLate(window);
            at.push(window * width / 1000);
            hollow.push(count > 0 && window >= open && !isLate ? count : null);
            solid.push(count > 0 && window < open && !isLate ? count : null);
            late.push(isLate ? count : null);
        }
        this.plot.setData([at, hollow, solid, late], false);
        this.plot.setScale("x", {min: first * width / 1000, max: (last + 1) * width / 1000});
        if (this.chosen !== null && this.chosen < first) { /* it has left the chart */
            this.choose(first);
        } else if (this.chosen !== null) {
            this.point();
        }
        this.tell();
    }

    /* Marks that show without colours, and even if a bar is one pixel wide: a tick above each window that a late event
     * changed, and a dashed line where the open ones begin. */
    mark(plot) {
        const {ctx, bbox} = plot, {width} = this.windows, dot = devicePixelRatio;
        const x = (window) => Math.round(plot.valToPos(window * width / 1000, "x", true));
        const {min, max} = plot.scales.x, open = this.windows.open(serverNow());
        if (min === null || min === undefined) {
            return;
        }
        ctx.save();
        ctx.fillStyle = this.late;
        const tick = Math.max(2 * dot, x(1) - x(0));
        for (let window = Math.ceil(min * 1000 / width); window * width < max * 1000; window++) {
            if (this.windows.isLate(window)) {
                ctx.fillRect(x(window), bbox.top - 8 * dot, tick, 6 * dot);
            }
        }
        ctx.strokeStyle = this.faint;
        ctx.lineWidth = dot;
        ctx.setLineDash([3 * dot, 3 * dot]);
        ctx.beginPath();
        ctx.moveTo(x(open), bbox.top);
        ctx.lineTo(x(open), bbox.top + bbox.height);
        ctx.stroke();
        ctx.restore();
    }

    /* The line below the bars: the window that was chosen or is under the cursor, else the last closed one. */
    tell() {
        const {width} = this.windows, left = this.plot ? this.plot.cursor.left : -1;
        const open = this.windows.open(serverNow()), {first, last} = this.range();
        let window = open - 1;
        if (this.chosen !== null) {
            window = this.chosen;
        } else if (left >= 0) {
            window = Math.floor(this.plot.posToVal(left, "x") * 1000 / width + 1e-6);
        }
        const state = this.windows.isLate(window) ? "changed by a late event" : window < open ? "closed" : "open";
        const time = new Date(window * width).toISOString().slice(11, width < 1000 ? 22 : 19);
        this.about.textContent = time + ": " + number.format(this.windows.at(window)) + " events, " + state;
        if (this.chosen !== null || !this.box.hasAttribute("aria-valuetext")) { /* screen readers are only told what was chosen */
            const value = {now: window - first, min: 0, max: last - first, text: this.about.textContent};
            Object.entries(value).forEach(([name, one]) => this.box.setAttribute("aria-value" + name, one));
        }
    }
}

/* Called when there are figures, since making charts takes longer than everything before. */
function makeCharts() {
    if (charts.length === 0 && asOf) {
        charts.push(...["10ms", "1s", "1min"].map((name) => new Chart(name)));
    }
}

makeCharts();
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", () => charts.forEach((chart) => chart.make()));
}
