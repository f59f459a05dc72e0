// Node.js: parses the same body and counts the same three windows in Maps.
"use strict";
const http = require("http");
const resolutions = [22, 19, 16].map((length) => ({ length, counts: new Map() })); // of 2016-05-28 11:11:11.12...
const server = http.createServer((request, response) => {
  let body = "";
  request.setEncoding("latin1");
  request.on("data", (piece) => { body += piece; });
  request.on("end", () => {
    if (body.length !== 32 || !body.startsWith("value=")) {
      response.statusCode = 400;
      response.end();
      return;
    }
    for (const { length, counts } of resolutions) {
      const window = body.substr(6, length);
      counts.set(window, (counts.get(window) || 0) + 1);
    }
    response.statusCode = 204;
    response.end();
  });
});
server.keepAliveTimeout = 600000;
server.listen(Number(process.argv[2]), "127.0.0.1");
