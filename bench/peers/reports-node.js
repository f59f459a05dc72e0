// Node.js: the questions `keyed` (POST /events, NDJSON) and `billing` (POST /, a form), in Maps.
"use strict";
const http = require("http");
const rows = new Map(); // "2016-05-28 11:11,AA1,7" -> {count, sum, first, last}

function rowOf(key) {
  let row = rows.get(key);
  if (!row) {
    row = { count: 0, sum: 0, first: "", last: "" };
    rows.set(key, row);
  }
  return row;
}

function addEvents(body) {
  for (const line of body.split("\n")) {
    if (line === "") continue;
    const { time, route, status, bytes } = JSON.parse(line);
    if (typeof time !== "string" || typeof route !== "string" || typeof status !== "number" || typeof bytes !== "number") {
      throw new TypeError("a field is not of its type");
    }
    const row = rowOf(`${time.slice(0, 16)},${route},${status}`);
    row.count += 1;
    row.sum += bytes;
  }
}

function addForm(body) {
  const form = new URLSearchParams(body);
  const time = form.get("value"), flight = form.get("flight");
  const client = Number(form.get("client")), seconds = Number(form.get("seconds"));
  if (time.length !== 26 || flight === null || Number.isNaN(client) || Number.isNaN(seconds)) {
    throw new TypeError("a field is not of its type");
  }
  for (const window of [16, 10]) { // 2016-05-28 11:11, 2016-05-28
    const row = rowOf(`${time.slice(0, window)},${flight},${client}`);
    row.count += 1;
    row.sum += seconds;
    if (row.first === "" || time < row.first) row.first = time;
    if (time > row.last) row.last = time;
  }
}

function lines() {
  let text = "";
  for (const [key, { count, sum, first, last }] of rows) {
    text += `${key},${count},${sum}${first ? `,${first},${last}` : ""}\n`;
  }
  return text;
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => { pieces.push(piece); });
  request.on("end", () => {
    if (request.url === "/rows") {
      response.end(lines());
      return;
    }
    try {
      const body = (pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).toString();
      if (request.url === "/events") addEvents(body);
      else addForm(body);
      response.statusCode = 204;
    } catch {
      response.statusCode = 400;
    }
    response.end();
  });
});
server.keepAliveTimeout = 600000;
server.listen(Number(process.argv[2]), "127.0.0.1");
