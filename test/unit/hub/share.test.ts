import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_NAME_LENGTH } from '../../../crds/custom-resource-definition.ts';
import { ModelServiceSpec } from '../../../crds/model-service.ts';
import { REGION_ANNOTATIONS } from '../../../crds/region.ts';
import { readShare, shareName, shareOf } from '../../../operator/plan/hub/share.ts';
import { serviceWith } from '../plan/builders.ts';
import { anyGrant } from './any-record.ts';

const KEY = 'city/traffic';
const placed = serviceWith({ replicas: 6, placement: {}, autoscaling: { maxReplicas: 12 } }).spec;
const grant = (floor: number, ceiling = floor) => ({ epoch: 7, session: 's', floor, ceiling });

describe('the name', () => {
  test.each([
    ['city/traffic', /^traffic-[0-9a-f]{8}$/],
    [`city/${'a'.repeat(50)}`, /^a{41}-[0-9a-f]{8}$/],
    [`city/${'a'.repeat(40)}-${'b'.repeat(9)}`, /^a{40}-[0-9a-f]{8}$/],
  ])('of %s', (key, expected) => {
    expect(shareName(key)).toMatch(expected);
    expect(shareName(key).length).toBeLessThanOrEqual(MAX_NAME_LENGTH);
  });

  test('differs for services of the same name in two namespaces', () => {
    expect(shareName('city/traffic')).not.toBe(shareName('region/traffic'));
  });
});

describe('the spec', () => {
  test.each([
    ['guaranteed replicas alone', grant(3), { replicas: 3, autoscaling: { maxReplicas: 3 } }],
    ['a ceiling above them', grant(3, 5), { replicas: 3, autoscaling: { maxReplicas: 5 } }],
    ['withdrawn', grant(0), { replicas: 0, autoscaling: undefined }],
    ['a ceiling and no floor', grant(0, 2), { replicas: 0, autoscaling: undefined }],
  ])('%s', (_, granted, { replicas, autoscaling }) => {
    const { spec } = shareOf(KEY, placed, 'porto', granted);
    expect(spec.replicas).toBe(replicas);
    if (autoscaling) expect(spec.autoscaling).toEqual({ ...placed.autoscaling, ...autoscaling });
    else expect(spec).not.toHaveProperty('autoscaling');
    expect(spec).not.toHaveProperty('placement');
    expect(spec.model).toEqual(placed.model);
  });

  test('a service that is not autoscaled is not in any city', () => {
    const { autoscaling: _, ...fixed } = placed;
    expect(shareOf(KEY, fixed, 'porto', grant(3, 5)).spec).not.toHaveProperty('autoscaling');
  });

  test('is one that the definition allows, whatever is granted', () => {
    fc.assert(
      fc.property(anyGrant, (granted) => {
        const { spec } = shareOf(KEY, placed, 'porto', granted);
        expect(ModelServiceSpec.parse(spec)).toEqual(spec);
        if (spec.autoscaling) {
          expect(spec.replicas).toBeGreaterThan(0);
          expect(spec.autoscaling.maxReplicas).toBeGreaterThanOrEqual(spec.replicas);
        }
      }),
    );
  });
});

describe('reading it', () => {
  const share = shareOf(KEY, placed, 'porto', grant(2));
  const as = (metadata: object) => readShare({ metadata: { ...share.metadata, ...metadata } as never });

  test('gives back what was granted', () => {
    fc.assert(
      fc.property(anyGrant, (granted) => {
        const { metadata } = shareOf(KEY, placed, 'porto', granted);
        expect(readShare({ metadata: metadata as never })).toEqual({
          city: 'porto',
          key: KEY,
          grant: granted,
        });
      }),
    );
  });

  test.each([
    ['no label', { labels: {} }],
    [
      'the label of another city',
      { labels: { ...share.metadata.labels, 'aicity.io/share-of-city': 'faro' } },
    ],
  ])('is nothing with %s', (_, metadata) => {
    expect(as(metadata)).toBeUndefined();
  });

  test.each(['', '{', '{"epoch":-1}', '[]', 'null'])('takes the annotation %j for no grant', (text) => {
    expect(as({ annotations: { [REGION_ANNOTATIONS.grant]: text } })?.grant).toMatchObject({
      epoch: 0,
      ceiling: 0,
    });
    expect(as({ annotations: {} })?.grant.epoch).toBe(0);
  });
});
