/* The live page in a real browser: one check a command on standard input, one line of JSON on standard output for each.
 *   node page.js MODULES CHROMIUM */
"use strict";

const path = require("path"), readline = require("readline");
const [modules, browserPath] = process.argv.slice(2);
const {chromium} = require(path.join(modules, "playwright-core"));

const seen = {requests: [], policy: [], errors: [], dialogs: []};
let browser, page;

async function close() {
    if (page) {
        await page.context().close();
        page = null;
    }
}

/* `virtual`: with a clock and a server of its own (day.js), which answer at once. `odd`: answers come 20 ms after a full half second, so that
 * the next round is the one a quarter later: each second round is left out. `pace`: as if the server wanted to be asked so often,
 * and its clock were ahead by window.skewMs.
 * `answers`: [beginning of a path, status, text], given instead of the server's. */
async function open({url, width = 1200, height = 900, scheme = "light", forced = "none", motion = "no-preference", virtual = false, odd = false, pace = 0, answers = null,
    figures = true}) {
    await close();
    const context = await browser.newContext({viewport: {width, height}, colorScheme: scheme, forcedColors: forced, reducedMotion: motion});
    page = await context.newPage();
    if (virtual) {
        await page.addInitScript({path: path.join(__dirname, "day.js")});
    }
    if (odd) {
        await page.addInitScript(() => {
            const real = window.fetch;
            window.fetch = async (...given) => {
                const answer = await real(...given);
                await new Promise((done) => setTimeout(done, (520 - Date.now() % 500) % 500));
                return answer;
            };
        });
    }
    if (pace) {
        await page.addInitScript((ms) => {
            const real = window.fetch;
            window.asked = window.skewMs = 0;
            window.fetch = async (path, given) => {
                const answer = await real(path, given), text = await answer.text();
                window.asked += path.startsWith("/live") ? 1 : 0;
                return {ok: answer.ok, status: answer.status, text: async () => text.replace(/"next_ms":\d+/, `"next_ms":${ms}`)
                    .replace(/"(time_ms|from)":(\d+)/g, (_, name, at) => `"${name}":${Number(at) + window.skewMs}`)};
            };
        }, pace);
    }
    if (answers) {
        await page.addInitScript((given) => {
            const real = window.fetch;
            window.given = given;
            window.fetch = async (path, how) => {
                const one = window.given.find(([begins]) => path.startsWith(begins));
                return one ? new Response(one[2], {status: one[1]}) : real(path, how);
            };
        }, answers);
    }
    page.on("request", (request) => seen.requests.push(request.url()));
    page.on("pageerror", (error) => seen.errors.push(error.message));
    page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
    await page.exposeFunction("tellPolicy", (what) => seen.policy.push(what));
    await page.addInitScript(() => addEventListener("securitypolicyviolation",
        (event) => window.tellPolicy(event.violatedDirective + " " + event.blockedURI)));
    await page.goto(url);
    if (!figures) {
        return null;
    }
    await page.waitForFunction(() => performance.getEntriesByName("aforo-figures").length > 0, null, {timeout: 8000});
    return page.evaluate(() => performance.getEntriesByName("aforo-figures")[0].startTime);
}

/* What the page keeps after the collector has run: bytes of objects, nodes of the document, listeners. */
async function memory() {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const {usedSize} = await session.send("Runtime.getHeapUsage");
    const {nodes, jsEventListeners} = await session.send("Memory.getDOMCounters");
    await session.detach();
    return {bytes: usedSize, nodes, listeners: jsEventListeners};
}

/* Goes through the page by Tab until the first comes again: what has the focus, and whether that shows. */
async function tour() {
    const found = [];
    for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
            const one = document.activeElement, style = getComputedStyle(one);
            return [one.id || one.getAttribute("aria-labelledby") || one.tagName, one.getAttribute("role") || one.tagName.toLowerCase(),
                    style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
        });
        if (at[0] === "BODY" || found.length && at[0] === found[0][0]) {
            return found;
        }
        found.push(at);
    }
    throw new Error("Tab does not come round: " + JSON.stringify(found));
}

/* Waits until `expression` holds, and says what it is then. Asked from here: the page's policy lets it evaluate nothing itself. */
async function until({expression, timeout = 10000}) {
    for (const end = Date.now() + timeout;;) {
        const value = await page.evaluate(expression);
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error("not within " + timeout + " ms: " + expression + "; " + await page.evaluate("document.getElementById('status').textContent"));
        }
        await new Promise((done) => setTimeout(done, 25));
    }
}

/* What is seen of the page as WebP of that quality, base64: made by the browser on a page of its own, whose policy permits it. */
async function picture({quality}) {
    const shot = await page.screenshot();
    const other = await page.context().newPage();
    try {
        return await other.evaluate(async ([bytes, share]) => {
            const image = new Image();
            image.src = "data:image/png;base64," + bytes;
            await image.decode();
            const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height});
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL("image/webp", share).split(",")[1];
        }, [shot.toString("base64"), quality / 100]);
    } finally {
        await other.close();
    }
}

const commands = {
    picture,
    open,
    close,
    memory,
    tour,
    until,
    media: (given) => page.emulateMedia(given),
    resize: ({width, height = 900}) => page.setViewportSize({width, height}),
    day: ({hours}) => page.evaluate((ms) => window.passTime(ms), hours * 3600000),
    started: () => page.evaluate(() => performance.getEntriesByType("resource").map((one) => [one.name.replace(/^\w+:\/\/[^/]+|\?.*/g, ""),
        one.startTime, one.responseEnd]).sort((a, b) => a[1] - b[1])),
    text: ({id}) => page.textContent("#" + id),
    rows: ({id}) => page.$$eval("#" + id + " tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))),
    reports: () => page.$$eval("#reports section", (all) => all.map((one) => one.textContent)),
    seen: () => seen,
    width: () => page.evaluate(() => document.documentElement.scrollWidth),
    scripts: () => page.$$eval("main script, main img, #reports script", (all) => all.length),
    press: ({key}) => page.keyboard.press(key).then(() => page.evaluate(() => document.activeElement.id || document.activeElement.tagName)),
    type: ({text}) => page.keyboard.type(text),
    inside: ({expression}) => page.evaluate(expression),
    async axe() {
        await page.evaluate(require("fs").readFileSync(path.join(modules, "axe-core", "axe.min.js"), "utf8"));
        const found = await page.evaluate(() => window.axe.run());
        return found.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html).join(" "));
    },
};

async function main() {
    browser = await chromium.launch({executablePath: browserPath, args: ["--no-sandbox", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-gpu", "--disable-quic"]});
    for await (const line of readline.createInterface({input: process.stdin})) {
        const {command, ...given} = JSON.parse(line);
        let answer;
        try {
            answer = {value: await commands[command](given)};
        } catch (error) {
            answer = {error: String(error)};
        }
        process.stdout.write(JSON.stringify(answer) + "\n");
    }
    await browser.close();
}

main();
