import { describe, expect, test } from '@jest/globals';
import { REGION_ANNOTATIONS, REGION_LABELS } from '../../../crds/region.ts';
import { foundGrant, grantOf, isFromHub, mirrored, serviceOf } from '../../../operator/plan/agent/mirror.ts';
import { serviceWith } from '../plan/builders.ts';

const grant = { epoch: 7, session: 's', floor: 2, ceiling: 2 };
const wide = { ...grant, ceiling: 5 };
const annotated = (text: string) => {
  const service = serviceWith();
  return {
    ...service,
    metadata: { ...service.metadata, annotations: { [REGION_ANNOTATIONS.grant]: text } },
  };
};

describe('a share', () => {
  test('names its service by its labels', () => {
    const { metadata } = serviceWith();
    const labels = { [REGION_LABELS.serviceNamespace]: 'city', [REGION_LABELS.serviceName]: 'traffic' };
    expect(serviceOf({ metadata: { ...metadata, labels } })).toBe('city/traffic');
    expect(serviceOf({ metadata })).toBeUndefined();
  });

  test('carries a grant; what is none is as if it was not there', () => {
    expect(grantOf(annotated(JSON.stringify(grant)))).toEqual(grant);
    expect(grantOf(serviceWith())).toBeUndefined();
    for (const text of ['', 'x', '{}', '[1]', JSON.stringify({ ...grant, floor: 3 })]) {
      expect(grantOf(annotated(text))).toBeUndefined();
    }
  });
});

describe('the mirrored service', () => {
  const share = serviceWith({ replicas: 9, placement: { priority: 3 } });

  test('has the name of the original, the bounds that are obeyed and nothing of the placement', () => {
    const { metadata, spec } = mirrored(share, 'city/traffic', grant, undefined);
    expect(metadata).toEqual({
      name: 'traffic',
      namespace: 'city',
      labels: { [REGION_LABELS.fromHub]: 'true' },
      annotations: { [REGION_ANNOTATIONS.grant]: '{"ceiling":2,"epoch":7,"floor":2,"session":"s"}' },
    });
    expect(spec).toEqual({ ...serviceWith().spec, replicas: 2 });
  });

  test('says what is obeyed to whoever finds it', () => {
    const service = mirrored(share, 'city/traffic', wide, undefined);
    expect(foundGrant(serviceWith({}, service as never))).toEqual(wide);
  });

  describe('is autoscaled up to the ceiling that is obeyed', () => {
    const target = { metrics: [{ type: 'QueueTime' as const, targetMilliseconds: 50 }] };
    const scaledShare = serviceWith({ autoscaling: { maxReplicas: 9, ...target } });
    const live = serviceWith({ replicas: 2, autoscaling: { maxReplicas: 5, ...target } });
    const plainShare = serviceWith();

    test.each([
      ['by the metrics of the share', scaledShare, wide, undefined, { maxReplicas: 5, ...target }],
      [
        'down to the floor, where there is no headroom',
        scaledShare,
        grant,
        live,
        { maxReplicas: 2, ...target },
      ],
      [
        'as before, where the share is for a grant that is not obeyed',
        plainShare,
        wide,
        live,
        { maxReplicas: 5, ...target },
      ],
      ['by load, where nothing else is known', plainShare, wide, undefined, { maxReplicas: 5 }],
      ['not at all, where neither asks for it', plainShare, grant, live, undefined],
    ])('%s', (_what, from, obeyed, now, autoscaling) => {
      const { spec } = mirrored(from, 'city/traffic', obeyed, now);
      expect(spec.replicas).toBe(obeyed.floor);
      if (autoscaling) expect(spec.autoscaling).toMatchObject(autoscaling);
      else expect(spec).not.toHaveProperty('autoscaling');
    });
  });
});

describe('a service that is found', () => {
  test('is from the hub by either mark', () => {
    const { metadata } = serviceWith();
    expect(isFromHub({ metadata })).toBe(false);
    expect(isFromHub({ metadata: { ...metadata, labels: { [REGION_LABELS.fromHub]: 'true' } } })).toBe(true);
    expect(isFromHub(annotated('x'))).toBe(true);
  });

  test('without its annotation obeys its own spec under no epoch', () => {
    expect(foundGrant(serviceWith({ replicas: 3 }))).toMatchObject({ epoch: 0, floor: 3, ceiling: 3 });
    const autoscaled = serviceWith({ replicas: 3, autoscaling: { maxReplicas: 8 } });
    expect(foundGrant(autoscaled)).toMatchObject({ epoch: 0, floor: 3, ceiling: 8 });
  });
});
