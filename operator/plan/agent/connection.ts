/** How it stands between a city and its hub. A closed list: each is the value of a metric's label. */

export const HUB_CONNECTIONS = {
  Connecting: 'The hub was not spoken to yet.',
  Connected: 'The hub answers.',
  Refused: 'The hub refuses the token of the city.',
  NotJoined: 'The hub does not know the city.',
  Displaced: 'Another cluster reports to the hub under the name of this city.',
  Unreachable: 'The hub does not answer.',
} as const;
export type HubConnection = keyof typeof HUB_CONNECTIONS;

/** A request to the hub that failed, as far as it matters. */
export interface HubFailure {
  /** Of HTTP; 0 when there was no answer. */
  readonly status: number;
  readonly reason: string;
}

export function connectionAfter({ status, reason }: HubFailure): HubConnection {
  if (status === 401 || status === 403 || reason === 'Credentials') return 'Refused';
  return status === 404 ? 'NotJoined' : 'Unreachable';
}

/** What a person can do about it. */
export function remedyFor(connection: HubConnection, city: string): string {
  switch (connection) {
    case 'Connecting':
    case 'Connected':
      return '';
    case 'Refused':
      return `the token of city ${city} was revoked or is not valid on this hub: put a new one into the Secret with the kubeconfig; meanwhile the city goes on alone`;
    case 'NotJoined':
      return `there is no CityCluster ${city} on the hub, or its namespace is not complete yet`;
    case 'Displaced':
      return `uninstall one of the two clusters that are city ${city}, or give one another name; the other one is believed until it has been silent for a while`;
    case 'Unreachable':
      return 'the city goes on alone and keeps trying';
  }
}
