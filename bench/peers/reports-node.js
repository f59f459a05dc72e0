// Node.js: the questions `keyed` (POST /events, NDJSON), those of bench/web.yaml (POST /web, the same) and `billing` (POST /, a
// form), in Maps and Sets.
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

const routes = new Map(), slow = new Map(), visitors = new Map();

function found(map, key, make) {
  let row = map.get(key);
  if (!row) map.set(key, row = make());
  return row;
}

function addWeb(body) {
  for (const line of body.split("\n")) {
    if (line === "") continue;
    const { time, route, status, ms, bytes, user } = JSON.parse(line);
    if (typeof time !== "string" || typeof route !== "string" || typeof status !== "number" || typeof ms !== "number" ||
        typeof bytes !== "number" || typeof user !== "string") {
      throw new TypeError("a field is not of its type");
    }
    const bucket = Math.ceil(Math.log2(ms) * 32); // p50, p99: within 1.1 %
    for (const window of [19, 16]) { // 2016-05-28T11:11:11, 2016-05-28T11:11
      const row = found(routes, `${time.slice(0, window)},${route},${status}`,
        () => ({ count: 0, bytes: 0, ms: 0, max: 0, buckets: new Map() }));
      row.count += 1;
      row.bytes += bytes;
      row.ms += ms;
      if (ms > row.max) row.max = ms;
      row.buckets.set(bucket, (row.buckets.get(bucket) || 0) + 1);
    }
    if (ms > 1000 || status >= 500) {
      const row = found(slow, `${time.slice(0, 16)},${route}`, () => ({ count: 0, max: 0, last: "" }));
      row.count += 1;
      if (ms > row.max) row.max = ms;
      if (time > row.last) row.last = time;
    }
    for (const window of [16, 13]) {
      const row = found(visitors, time.slice(0, window), () => ({ users: new Set(), routes: new Map() }));
      row.users.add(user);
      row.routes.set(route, (row.routes.get(route) || 0) + 1);
    }
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

function webLines() {
  let text = "";
  for (const [key, { count, bytes, max }] of routes) {
    if (key.indexOf(",") === 16) text += `${key},${count},${bytes},${max}\n`;
  }
  return text;
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => { pieces.push(piece); });
  request.on("end", () => {
    if (request.method === "GET") {
      response.end(request.url === "/rows" ? lines() : webLines());
      return;
    }
    try {
      const body = (pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).toString();
      if (request.url === "/events") addEvents(body);
      else if (request.url === "/web") addWeb(body);
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
