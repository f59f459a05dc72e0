/* The live page in a real browser: one check a command on standard input, one line of JSON on standard output for each.
 *   node page.js MODULES CHROMIUM */
"use strict";

const path = require("path"), readline = require("readline");
const [modules, browserPath] = process.argv.slice(2);
const {chromium} = require(path.join(modules, "playwright-core"));

const seen = {requests: [], policy: [], errors: [], dialogs: []};
let browser, page;

async function open({url, width = 1200, height = 900, scheme = "light", forced = "none", motion = "no-preference"}) {
    if (page) {
        await page.context().close();
    }
    const context = await browser.newContext({viewport: {width, height}, colorScheme: scheme, forcedColors: forced, reducedMotion: motion});
    page = await context.newPage();
    page.on("request", (request) => seen.requests.push(request.url()));
    page.on("pageerror", (error) => seen.errors.push(error.message));
    page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
    await page.exposeFunction("tellPolicy", (what) => seen.policy.push(what));
    await page.addInitScript(() => addEventListener("securitypolicyviolation",
        (event) => window.tellPolicy(event.violatedDirective + " " + event.blockedURI)));
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById("rate").textContent !== "–", null, {timeout: 8000});
    return page.evaluate(() => performance.now());
}

const commands = {
    open,
    text: ({id}) => page.textContent("#" + id),
    rows: ({id}) => page.$$eval("#" + id + " tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))),
    reports: () => page.$$eval("#reports section", (all) => all.map((one) => one.textContent)),
    seen: () => seen,
    width: () => page.evaluate(() => document.documentElement.scrollWidth),
    scripts: () => page.$$eval("main script, main img, #reports script", (all) => all.length),
    press: ({key}) => page.keyboard.press(key).then(() => page.evaluate(() => document.activeElement.id || document.activeElement.tagName)),
    shot: ({file, full}) => page.screenshot({path: file, fullPage: Boolean(full)}).then(() => file),
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
