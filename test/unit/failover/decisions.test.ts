import { describe, expect, test } from '@jest/globals';
import { DECISION_REASONS, Placement } from '../../../crds/placement.ts';
import { decisionsOf } from '../../../operator/plan/failover/decisions.ts';
import {
  type CityKnowledge,
  newShare,
  type ServiceIntent,
  type ShareRecord,
} from '../../../operator/plan/failover/records.ts';
import { rhythmFor, settingsFor } from '../../../operator/plan/failover/rhythm.ts';
import { sightsOf } from '../../../operator/plan/failover/sights.ts';
import { ALWAYS_THERE } from '../../../operator/plan/failover/steadiness.ts';

const NOW = Date.parse('2026-03-01T08:00:00Z');
const KEY = 'default/traffic';
const intent: ServiceIntent = {
  key: KEY,
  priority: 0,
  replicas: 3,
  maximum: 3,
  isAutoscaled: false,
  placement: Placement.parse({
    residency: { matchExpressions: [{ key: 'abroad', operator: 'DoesNotExist' }] },
  }),
  demand: [],
};
const grant = (floor: number, ceiling = floor) => ({ epoch: 1, session: 's', floor, ceiling });

interface Case {
  readonly share?: Partial<ShareRecord>;
  readonly city?: Partial<CityKnowledge>;
  readonly ready?: number;
  readonly others?: readonly ShareRecord[];
  readonly waiting?: number;
  readonly isUnfit?: boolean;
}

function decision({ share, city, ready = 2, others = [], waiting = 0, isUnfit = false }: Case) {
  const knowledge: CityKnowledge = {
    name: 'porto',
    labels: {},
    taints: [],
    isDraining: false,
    capacity: {},
    heardAtMs: NOW,
    reportedAtMs: NOW,
    session: 's',
    claims: new Map([[KEY, { epoch: 1, floor: 2, ceiling: 2, running: 2, ready, needed: 0 }]]),
    views: new Map(),
    steadiness: ALWAYS_THERE,
    ...city,
  };
  const porto: ShareRecord = { ...newShare('porto'), assigned: 2, grant: grant(2), mayHold: 2, ...share };
  const record = {
    key: KEY,
    epoch: 1,
    shares: new Map([porto, ...others].map((one) => [one.city, one])),
    waiting,
    unfit: new Map(isUnfit ? [['porto', { times: 1, untilMs: NOW }]] : []),
    isProvisional: false,
  };
  const sights = sightsOf([knowledge], NOW, NOW - 1e9, settingsFor(rhythmFor(90_000)));
  return decisionsOf(intent, record, sights)[0]!;
}

const lostFaro: ShareRecord = {
  ...newShare('faro'),
  grant: grant(1),
  standing: { phase: 'Moving', sinceMs: NOW, replicas: 1 },
};
const silent = { heardAtMs: NOW - 60_000, reportedAtMs: NOW - 60_000 };

const CASES: [keyof typeof DECISION_REASONS, Case, string][] = [
  ['Placed', {}, 'porto guarantees 2 replicas'],
  ['Placed', { share: { grant: grant(2, 5) } }, 'porto guarantees 2 replicas and may run up to 5'],
  ['Starting', { ready: 1 }, '1 of 2 replicas is ready in porto'],
  [
    'NotBecomingReady',
    { ready: 1, isUnfit: true },
    '1 of 2 replicas is ready in porto, where others have not become ready either; any other city with room is tried first',
  ],
  ['StandsIn', { ready: 0, others: [lostFaro] }, '0 of 2 replicas are ready in porto, standing in for faro'],
  [
    'WaitsForRoom',
    { share: { grant: grant(1) } },
    '1 replica waits for room in porto until others have gone',
  ],
  [
    'KeepsOnly',
    { city: { taints: [{ key: 'roof', effect: 'NoSchedule' }] } },
    'porto has the taint roof:NoSchedule: it takes no new replicas',
  ],
  [
    'Leaving',
    { share: { assigned: 0 }, city: { isDraining: true } },
    'porto is being drained: 2 replicas are withdrawn as others become ready elsewhere',
  ],
  [
    'Leaving',
    { share: { assigned: 1 }, waiting: 1 },
    'porto is to have 1: 1 replica is withdrawn as others become ready elsewhere; 1 replica has no other place yet',
  ],
  [
    'Yielding',
    { share: { assigned: 1, isYielding: true } },
    '1 replica is withdrawn from porto to make room: a higher priority needs it, or the city has shrunk',
  ],
  [
    'ResidencyForbids',
    { share: { assigned: 0 }, city: { labels: { abroad: 'yes' } } },
    'porto is outside spec.placement.residency: 2 replicas are withdrawn at once',
  ],
  [
    'ResidencyForbids',
    { share: { assigned: 0 }, city: { labels: { abroad: 'yes' }, ...silent } },
    'porto is outside spec.placement.residency: 2 replicas are withdrawn as soon as the city is heard',
  ],
  [
    'Suspect',
    { share: { standing: { phase: 'Suspect', sinceMs: NOW } }, city: silent },
    'porto is silent since 2026-03-01T07:59:00.000Z; its 2 replicas count for 90 s before others start elsewhere',
  ],
  [
    'Suspect',
    { share: { grant: grant(1), standing: { phase: 'Suspect', sinceMs: NOW } }, city: silent },
    'porto is silent since 2026-03-01T07:59:00.000Z; its 1 replica counts for 90 s before others start elsewhere',
  ],
  [
    'Confirming',
    { share: { standing: { phase: 'Confirming', sinceMs: NOW } }, city: silent },
    'porto is silent; other cities are asked whether they see it',
  ],
  [
    'SeenByOther',
    {
      share: {
        standing: { phase: 'Confirming', sinceMs: NOW, hold: { because: 'SeenByOther', by: 'faro' } },
      },
      city: silent,
    },
    'porto is cut off from the hub, but faro sees it: its replicas stay where they are',
  ],
  [
    'WaitsForTurn',
    { share: { standing: { phase: 'Confirming', sinceMs: NOW, hold: { because: 'Turn' } } }, city: silent },
    'porto is lost; enough services are on the move already, this one follows',
  ],
  [
    'Lost',
    { share: { assigned: 0, standing: { phase: 'Moving', sinceMs: NOW, replicas: 2 } }, city: silent },
    'porto is lost; 2 replicas start elsewhere',
  ],
  [
    'Lost',
    { share: { assigned: 0, standing: { phase: 'Moving', sinceMs: NOW, replicas: 1 } }, city: silent },
    'porto is lost; 1 replica starts elsewhere',
  ],
  [
    'Replaced',
    { share: { assigned: 0, grant: grant(1), standing: { phase: 'Moved', sinceMs: NOW } }, city: silent },
    'porto is lost and replaced; the 1 replica that it may still run is withdrawn when it returns',
  ],
  [
    'Replaced',
    { share: { assigned: 0, standing: { phase: 'Moved', sinceMs: NOW } }, city: silent },
    'porto is lost and replaced; the 2 replicas that it may still run are withdrawn when it returns',
  ],
  [
    'Returning',
    { share: { assigned: 1, standing: { phase: 'Returning', sinceMs: NOW } } },
    'porto is back and has reported 2 replicas; 1 replica stays',
  ],
];

describe('a decision', () => {
  test.each(CASES)('%s %#', (reason, given, message) => {
    expect(decision(given)).toMatchObject({ city: 'porto', reason, message });
  });

  test('every reason has a sentence', () => {
    expect(new Set(CASES.map(([reason]) => reason))).toEqual(new Set(Object.keys(DECISION_REASONS)));
  });
});
