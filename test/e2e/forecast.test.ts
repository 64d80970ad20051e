/** The example as its README tells it, through a real service: forecasts of a month that no model has seen. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { evaluateHeldOutMonth } from '../../examples/traffic/evaluation.ts';
import { PROTOCOLS } from '../../examples/traffic/protocols.ts';
import { RELEASES } from '../../examples/traffic/releases.ts';
import { formatScore, improvementPercent } from '../../examples/traffic/score.ts';
import { city as sharedCity } from './city.ts';
import { ServedModel } from './served-model.ts';

const readme = readFileSync(new URL('../../examples/traffic/README.md', import.meta.url), 'utf8');
const manifest = readFileSync(new URL('../../examples/traffic/traffic-model.yaml', import.meta.url), 'utf8');

describe('the traffic example', () => {
  let traffic: ServedModel;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'forecast');
    await traffic.applyText(manifest);
    await traffic.untilReady(1);
  });
  afterAll(async () => await traffic?.close());

  const month = (protocol: (typeof PROTOCOLS)[number]) =>
    evaluateHeldOutMonth({ url: traffic.url, model: traffic.name, protocol, timeoutSeconds: 30 });

  test.each(RELEASES)('version $version forecasts as well as the README says', async ({ version }) => {
    await traffic.edit({ model: { version } });
    await traffic.until(`version ${version} is served`, 120, ({ model, readyReplicas }) => {
      return model?.version === String(version) && readyReplicas === 1;
    });
    const [first, ...others] = await Promise.all(PROTOCOLS.map(month));
    expect(improvementPercent(first!.model, first!.naive)).toBeGreaterThan(35);
    expect(readme).toContain(formatScore(first!.model));
    // Requests that are joined to one batch differ from single ones in the last bits of a float.
    for (const { forecasts } of others)
      forecasts.forEach((users, hour) => {
        expect(users).toBeCloseTo(first!.forecasts[hour]!, 2);
      });
  });
});
