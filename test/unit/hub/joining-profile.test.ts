import { describe, expect, test } from '@jest/globals';
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReason } from '../../../crds/city-conditions.ts';
import {
  cityFromProfile,
  isPublishedByUs,
  profileOf,
  profilePrint,
  profileStatus,
} from '../../../operator/plan/hub/joining-profile.ts';

const at = '2026-03-01T12:00:00Z';

function porto(reason: CityReason, more: CityCluster['status'] = {}): CityCluster {
  const condition = { reason, message: 'a sentence', observedGeneration: 1, lastTransitionTime: at };
  return {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'CityCluster',
    metadata: { name: 'porto', uid: 'u', generation: 1, labels: { country: 'pt' } },
    spec: { drain: false, location: { latitude: 41.15, longitude: -8.61 }, carbonIntensity: 120 },
    status: { conditions: [{ ...condition, type: 'Ready', status: 'True' }], ...more },
  };
}

describe('the ClusterProfile of a city', () => {
  test('stands in the namespace of the operator, belongs to the city and is labelled by its manager', () => {
    expect(profileOf(porto('Heard'), 'aicity-system')).toMatchObject({
      metadata: {
        name: 'porto',
        namespace: 'aicity-system',
        labels: { country: 'pt', 'x-k8s.io/cluster-manager': 'aicity' },
        ownerReferences: [{ kind: 'CityCluster', name: 'porto', uid: 'u' }],
      },
      spec: { displayName: 'porto', clusterManager: { name: 'aicity' } },
    });
  });

  test.each<[CityReason, string]>([
    ['Heard', 'True'],
    ['Draining', 'True'],
    ['Late', 'Unknown'],
    ['Lost', 'Unknown'],
    ['SeenByOther', 'Unknown'],
    ['NeverHeard', 'Unknown'],
  ])('a city that is %s: healthy is %s', (reason, status) => {
    expect(profileStatus(porto(reason)).conditions).toEqual([
      { type: 'ControlPlaneHealthy', status, reason, message: 'a sentence', lastTransitionTime: at },
    ]);
  });

  test('tells version, capacity and what people gave', () => {
    const capacity = [{ resource: 'nvidia.com/gpu', total: 8, forShares: 6, used: 3 }];
    expect(profileStatus(porto('Heard', { kubernetesVersion: 'v1.34.1', capacity }))).toMatchObject({
      version: { kubernetes: 'v1.34.1' },
      properties: [
        { name: 'capacity.aicity.io/nvidia.com/gpu', value: '8' },
        { name: 'latitude.aicity.io', value: '41.15' },
        { name: 'longitude.aicity.io', value: '-8.61' },
        { name: 'carbon-intensity.aicity.io', value: '120' },
      ],
    });
  });

  test('is not written again for what changes all the time', () => {
    const capacity = [{ resource: 'cpu', total: 8, forShares: 6, used: 3 }];
    const busier = [{ resource: 'cpu', total: 8, forShares: 5, used: 4 }];
    const print = (status: CityCluster['status']) => profilePrint(porto('Heard', status), 'aicity-system');
    expect(print({ capacity: busier, replicas: 4, free: '1/8' })).toBe(print({ capacity }));
    expect(print({ capacity: [] })).not.toBe(print({ capacity }));
  });
});

describe('a ClusterProfile that asks for a city', () => {
  const profile = (name: string, manager = 'fleet') => ({
    metadata: {
      name,
      namespace: 'fleet-system',
      labels: { 'aicity.io/join': 'true', 'x-k8s.io/cluster-manager': manager, country: 'es' },
    },
    spec: { clusterManager: { name: manager } },
  });

  test('gets one of its name, with its labels and where it comes from', () => {
    expect(cityFromProfile(profile('vigo'))).toEqual({
      kind: 'City',
      city: {
        metadata: {
          name: 'vigo',
          labels: { country: 'es' },
          annotations: { 'aicity.io/cluster-profile': 'fleet-system/vigo' },
        },
        spec: {},
      },
    });
  });

  test.each(['vigo.es', 'v'.repeat(51)])('but not of a name that a city cannot have: %s', (name) => {
    expect(cityFromProfile(profile(name))).toMatchObject({
      kind: 'Impossible',
      message: expect.stringContaining(`ClusterProfile fleet-system/${name} asks for a city`),
    });
  });

  test('is never one of ours', () => {
    expect(isPublishedByUs(profile('vigo'))).toBe(false);
    expect(isPublishedByUs(profile('porto', 'aicity'))).toBe(true);
  });
});
