import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Protocol, requestForecasts } from '../../../examples/traffic/protocols.ts';

const rows = [
  { calendar: [8, 1, 0, 1, 340], weather: [1, 6, 3, 49, 19], history: [300, 310, 290, 120, 118] },
  { calendar: [9, 1, 0, 1, 340], weather: [1, 7, 4, 48, 19], history: [200, 210, 190, 120, 118] },
];

describe('a request for forecasts', () => {
  let reply = { status: 200, body: '' };
  let asked = { path: '', body: '' };
  const server = createServer(async (request, response) => {
    asked = { path: request.url ?? '', body: await text(request) };
    response.writeHead(reply.status).end(reply.body);
  });
  beforeEach(() => new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening)));
  afterEach(() => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  });

  const ask = (protocol: Protocol) =>
    requestForecasts(
      {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        model: 'traffic',
        protocol,
        timeoutSeconds: 10,
      },
      rows,
    );

  test('speaks TensorFlow Serving REST: rows in, rows out', async () => {
    reply = { status: 200, body: '{"predictions":[[301.5],[211]]}' };
    expect(await ask('tfs')).toEqual([301.5, 211]);
    expect(asked.path).toBe('/v1/models/traffic:predict');
    expect(JSON.parse(asked.body)).toEqual({ instances: rows });
  });

  test('speaks the Open Inference Protocol: one row-major tensor per input', async () => {
    reply = {
      status: 200,
      body: '{"outputs":[{"name":"users","shape":[2,1],"datatype":"FP32","data":[301.5,211]}]}',
    };
    expect(await ask('oip')).toEqual([301.5, 211]);
    expect(asked.path).toBe('/v2/models/traffic/infer');
    expect(JSON.parse(asked.body).inputs).toEqual([
      {
        name: 'calendar',
        datatype: 'FP32',
        shape: [2, 5],
        data: [8, 1, 0, 1, 340, 9, 1, 0, 1, 340],
      },
      { name: 'weather', datatype: 'FP32', shape: [2, 5], data: [1, 6, 3, 49, 19, 1, 7, 4, 48, 19] },
      {
        name: 'history',
        datatype: 'FP32',
        shape: [2, 5],
        data: [300, 310, 290, 120, 118, 200, 210, 190, 120, 118],
      },
    ]);
  });

  test.each([
    [
      'says what the server says',
      { status: 400, body: '{"error":"calendar: expected [-1,5]"}' },
      'calendar: expected',
    ],
    ['refuses an answer with fewer rows', { status: 200, body: '{"predictions":[[1]]}' }, 'than 2 numbers'],
    [
      'refuses an answer without numbers',
      { status: 200, body: '{"predictions":[["a"],[1]]}' },
      'than 2 numbers',
    ],
  ])('%s', async (_, answer, message) => {
    reply = answer;
    await expect(ask('tfs')).rejects.toThrow(message);
  });
});
