/** Arbitrary services that the API server would accept. */
import fc from 'fast-check';
import { METRIC_TYPES } from '../../../crds/autoscaling.ts';
import { type ModelService, ROLLOUT_STRATEGIES } from '../../../crds/model-service.ts';
import { serviceWith } from './builders.ts';

const uri = fc.constantFrom(
  'https://models.example/traffic/3',
  'http://store.data.svc:9000/m',
  'http://store/m',
  's3://models/traffic',
  'gs://models/traffic',
  'oci://registry.data.svc:5000/traffic:1',
  'pvc://claim-a/traffic',
  'pvc://claim-b',
  'file:///models/traffic',
);

const metric = fc
  .constantFrom(...METRIC_TYPES)
  .chain((type) =>
    fc
      .integer({ min: 1, max: 300 })
      .map((target) =>
        type === 'QueueTime' ? { type, targetMilliseconds: target } : { type, targetPercent: target },
      ),
  );

const autoscaling = fc.record(
  {
    extra: fc.integer({ min: 0, max: 9 }),
    metrics: fc.uniqueArray(metric, { minLength: 1, maxLength: 4, selector: ({ type }) => type }),
    behavior: fc.record(
      { scaleDown: fc.record({ stabilizationWindowSeconds: fc.integer({ min: 0, max: 600 }) }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['extra'] },
);

const quantity = fc.constantFrom('100m', '1', '1500m', '2', '64Mi', '1Gi', '1024Mi', '0.5');
const resources = fc.record(
  {
    requests: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity),
    limits: fc.dictionary(fc.constantFrom('cpu', 'memory', 'ephemeral-storage'), quantity),
  },
  { requiredKeys: [] },
);

const podTemplate = fc.record(
  {
    labels: fc.dictionary(fc.constantFrom('team', 'tier'), fc.constantFrom('a', 'b')),
    annotations: fc.dictionary(fc.constantFrom('note', 'x/y'), fc.string({ maxLength: 9 })),
    nodeSelector: fc.dictionary(fc.constantFrom('zone', 'disk'), fc.constantFrom('a', 'b')),
    tolerations: fc.array(
      fc.constantFrom({ key: 'spot', operator: 'Exists' as const }, { key: 'x', value: 'y' }),
      {
        maxLength: 2,
      },
    ),
    serviceAccountName: fc.constant('theirs'),
    priorityClassName: fc.constant('high'),
    env: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('A', 'B', 'C'), value: fc.string({ maxLength: 5 }) }),
      {
        selector: ({ name }) => name,
      },
    ),
  },
  { requiredKeys: [] },
);

/** Every field that shapes the objects takes part. */
export function anyService(): fc.Arbitrary<ModelService> {
  return fc
    .record(
      {
        uri,
        replicas: fc.integer({ min: 1, max: 6 }),
        autoscaling,
        gpu: fc.record({
          count: fc.integer({ min: 0, max: 4 }),
          resource: fc.constantFrom('nvidia.com/gpu', 'nvidia.com/mig-1g.10gb'),
        }),
        resources,
        podTemplate,
        strategy: fc.constantFrom(...ROLLOUT_STRATEGIES),
        version: fc.integer({ min: 0, max: 9 }),
      },
      { requiredKeys: ['uri', 'replicas', 'gpu', 'strategy'] },
    )
    .map(({ uri, version, strategy, autoscaling, ...rest }) => {
      const { extra = 0, ...scaling } = autoscaling ?? {};
      return serviceWith({
        ...rest,
        model: { uri, ...(version === undefined ? {} : { version }) },
        rollout: { strategy },
        ...(autoscaling ? { autoscaling: { ...scaling, maxReplicas: rest.replicas + extra } } : {}),
      });
    });
}
