// ClickHouse's engine, as the npm package chdb has it, behind as much of ClickHouse's HTTP interface as telltale and
// the gateway use: POST /?query=…, a body that may be gzipped, 400 for what it can't read. The argument is a folder.
const http = require('http');
const zlib = require('zlib');
const { Session } = require('chdb');

const session = new Session(process.argv[2]);

function answer(request, body) {
  if (request.headers['content-encoding'] === 'gzip') body = zlib.gunzipSync(body);
  const query = new URL(request.url, 'http://localhost').searchParams.get('query') || '';
  return session.query(query + '\n' + body.toString(), 'TSVRaw');
}

http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part)).on('end', () => {
    try {
      response.end(answer(request, Buffer.concat(parts)));
    } catch (error) {
      response.statusCode = 400;
      response.end(String(error));
    }
  });
}).listen(0, '127.0.0.1', function () {
  console.log(`listening on 127.0.0.1:${this.address().port}`);
});
