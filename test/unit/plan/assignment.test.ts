import { expect, test } from '@jest/globals';
import { ROLLOUT_STRATEGIES } from '../../../crds/model-service.ts';
import { assignmentFor, assignmentOf, modelRevision } from '../../../operator/plan/assignment.ts';
import { serviceWith } from './builders.ts';

const ANOTHER = modelRevision({ uri: 'https://models.example/traffic/2' });

test.each(ROLLOUT_STRATEGIES)(
  'with strategy %s a pod gets the wanted model if it may change it',
  (strategy) => {
    const service = serviceWith({ rollout: { strategy } });
    const wanted = assignmentOf(service);
    const replacesPods = strategy === 'Surge' || strategy === 'InPlace';
    expect(assignmentFor(service, undefined)).toEqual(replacesPods ? undefined : wanted);
    expect(assignmentFor(service, wanted.revision)).toEqual(wanted);
    expect(assignmentFor(service, ANOTHER)).toEqual(replacesPods ? undefined : wanted);
  },
);
