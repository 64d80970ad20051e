/** The closed list of condition types and reasons of a CityCluster. */

export const CITY_CONDITION_TYPES = {
  Ready: 'The city is heard of and takes replicas.',
  Joined: 'The city has reported at least once with its token.',
  Drained: 'True when spec.drain is set and no replica is left in the city.',
} as const;
export type CityConditionType = keyof typeof CITY_CONDITION_TYPES;

export const CITY_REASONS = {
  Heard: 'The city was heard of within its heartbeat.',
  NamespaceTaken: 'The namespace of the city is there already and belongs to somebody else.',
  NeverHeard: 'The city has not reported since it was added.',
  HubStarted: 'The hub has just started and has not heard of the city yet.',
  Late: 'The city was not heard of in time; within the grace nothing is done.',
  SeenByOther: 'The city is cut off from the hub, and another city sees it.',
  Lost: 'The city was not heard of for longer than the grace.',
  Settling: 'The city is back after a loss and takes only what fits nowhere else for a while.',
  TwoAgents: 'Two clusters report under the name of this city, or a second one wants to and stands back.',
  Draining: 'Replicas leave, each as soon as another is ready elsewhere.',
  DrainBlocked: 'Replicas cannot leave, since no other city has room for them.',
  Drained: 'No replica is left in the city.',
  NotDraining: 'spec.drain is not set.',
  Reported: 'The city has reported.',
  UnknownServices: 'The city runs services of which the hub knows nothing; they are left alone.',
} as const;
export type CityReason = keyof typeof CITY_REASONS;

/** A `metav1.Condition` with the types and reasons of a city. */
export interface CityCondition {
  type: CityConditionType;
  status: 'True' | 'False' | 'Unknown';
  reason: CityReason;
  message: string;
  observedGeneration: number;
  /** RFC 3339, moves only when `status` changes. */
  lastTransitionTime: string;
}
