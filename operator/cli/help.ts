/** What `help` prints. */

const TARGET = `  --context NAME      of the kubeconfig (default: its current one)
  --kubeconfig FILE   (default: as kubectl finds it)
  -n, --namespace NS  of the services (default: of the context)`;

const TOPICS: Readonly<Record<string, string>> = {
  join: `join CITY: let a cluster join a hub as a city

Makes the CityCluster on the hub if there is none, waits for the city's token, and writes what
the city's Helm release needs into a file that only you can read.

  -l, --label K=V     label of the CityCluster, by which services choose cities; may be repeated
  --address URL       where other cities can look whether this one is there
  --address-range R   where the city's endpoints are, such as 203.0.113.0/24: routes of the hub lead
                      to no other address; may be repeated
  --server URL        the hub's API server as the city reaches it (default: of the kubeconfig)
  -o, --output FILE   (default: aicity-city-CITY.yaml; - prints it, token and all)
  --format KIND       values: for helm --values (default). secret: a Secret for kubectl apply
  --rotate            take the old token back and give out a new one
  --timeout SECONDS   how long to wait for the token (default 60)
${TARGET}`,
  leave: `leave CITY: take a city off the hub

Deletes the CityCluster; its namespace, token and shares on the hub go with it. The city itself
goes on with what it has. A city that runs replicas is refused, so that they can be drained first.

  --now               although it runs replicas: they are started elsewhere and run in both places
  --timeout SECONDS   how long to wait until all is gone (default 60)
${TARGET}`,
  plan: `plan -f FILE: what would happen if the ModelServices in a file were applied

Lets the hub's API server check them, then decides with the operator's own code on what the hub
knows now. Nothing is changed.

  -f, --filename FILE may be repeated; - reads standard input
${TARGET}

Exit status: 0 every replica has a city; 2 some would wait; 1 it is refused, or cannot be known.`,
  cities: `cities: the cities of a hub

${TARGET}`,
  status: `status SERVICE: where a service runs, and why there

${TARGET}`,
};

const ALL = `Usage: kubectl aicity COMMAND

  join CITY        let a cluster join a hub as a city
  leave CITY       take a city off the hub
  plan -f FILE     what would happen if a file were applied
  cities           the cities of a hub
  status SERVICE   where a service runs, and why there
  help COMMAND     the options of a command`;

export function helpText(topic?: string): string {
  return (topic && TOPICS[topic]) || ALL;
}
