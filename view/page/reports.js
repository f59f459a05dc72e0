/* The reports of the live page: a table for each, and a score board of its top figures. Loaded before page.js, which
 * has the functions that this uses, and calls showReports. */
"use strict";

const figure = (value) => value === null ? "–"
    : Array.isArray(value) ? value.join(", ")
        : typeof value === "number" ? number.format(value) : String(value);

function reportTable(report, i) {
    const id = "h-report-" + i;
    let section = byId("reports").children[i];
    if (!section) {
        section = document.createElement("section");
        section.setAttribute("aria-labelledby", id);
        const title = document.createElement("h2"), box = document.createElement("div"), note = document.createElement("p");
        const board = document.createElement("table");
        title.id = id;
        box.className = "table";
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-labelledby", id);
        board.className = "board";
        box.append(document.createElement("table"), board);
        note.className = "about";
        section.append(title, box, note);
        byId("reports").append(section);
    }
    return section;
}

/* Figures of the kind top, with a score board each: [name, [row, value, count], ...]. */
const isBoard = (value) => Array.isArray(value) && value.some((one) => one && typeof one === "object");

function showBoard(table, fields, boards, rows) {
    const lines = [];
    for (const row of rows) {
        for (const name of boards) {
            (row.values[name] || []).forEach((one, i) => lines.push([...fields.map((field) => figure(row.key[field])), name, i + 1,
                                                                     String(one.value), number.format(one.count)]));
        }
    }
    table.hidden = boards.length === 0;
    fill(table, [...fields.map((field) => [field, "long"]), ["figure"], ["place", "number"], ["value", "long"], ["events", "number"]],
         lines.slice(0, BOARD_ROWS));
}

async function showReport(report, i) {
    const section = reportTable(report, i), [title, box, note] = section.children;
    const window = report.windows[0], path = "/reports/" + encodeURIComponent(report.name) + "/" + encodeURIComponent(window);
    let answer, why = "";
    title.textContent = "Report " + cut(report.name) + ", the last " + window;
    try {
        answer = JSON.parse(await ask(path + "?last=1&partial=1&format=json&top=" + REPORT_ROWS));
    } catch (error) { /* if one cannot be read, the others remain; /live tells whether everything is away */
        if (!(error instanceof Refused)) {
            throw error;
        }
        [answer, why] = [{rows: []}, error.message];
    }
    const fields = report.by || [], boards = (report.show || []).filter((name) => answer.rows.some((row) => isBoard(row.values[name])));
    const figures = (report.show || []).filter((name) => !boards.includes(name));
    const rows = answer.rows.map((row) => [...fields.map((field) => figure(row.key[field])),
                                           ...figures.map((name) => figure(row.values[name])), row.state]);
    fill(box.firstChild, [...fields.map((field) => [field, "long"]), ...figures.map((name) => [name, "number"]), ["state"]], rows);
    showBoard(box.lastChild, fields, boards, answer.rows);
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
    hasReports = reports.length > 0;
    const some = reports.slice(0, REPORTS_SHOWN);
    while (byId("reports").children.length > some.length) {
        byId("reports").lastChild.remove();
    }
    for (const [i, report] of some.entries()) {
        await showReport(report, i);
    }
}
