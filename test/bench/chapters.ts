/** What each benchmark measures and how, for the page of figures. */

import { FAILURE } from './failure-rows.ts';

/** Begin the names of the rows of `ways.ts` and of `variables.ts`. */
export const WAYS = 'ways: ';
export const VARIABLES = 'variables: ';

/** Rows whose names begin with `prefix`: they stand in a table of their own, without it. */
export interface Section {
  readonly prefix: string;
  readonly title: string;
  readonly about: readonly string[];
}

export interface Chapter {
  /** Of its file in `results/`, and of the command where that is `bench:<name>`. */
  readonly name: string;
  /** After `npm run`. */
  readonly command?: string;
  readonly title: string;
  /** Markdown, line by line. */
  readonly about: readonly string[];
  readonly sections?: readonly Section[];
}

export const chapters: readonly Chapter[] = [
  {
    name: 'operator',
    title: 'The operator with hundreds of services',
    about: [
      'A real API server, etcd, scheduler and controllers in one container, with fake GPU nodes on which kwok plays the',
      'pods. The operator runs as a process of its own, bundled as in its image, with the account that the chart makes. Every',
      'ModelService asks for 2 replicas with one GPU each, which makes six objects: ConfigMap, ServiceAccount,',
      'NetworkPolicy, Service, Deployment and PodDisruptionBudget. No model server runs, so no service becomes Ready and',
      'no reports arrive; a status is current when it speaks of the newest generation.',
      '',
      'The limit is a bare HTTP client that has nothing to decide: in a namespace of its own it sends the same',
      'ModelServices, then the very same objects, then one status each, as server-side applies with as many connections',
      'as the operator has (32). It runs before and after the operator, and the faster of the two rounds counts. For',
      'edits, the limit is a loop that watches ModelServices and answers every change with one prepared apply. Both are',
      'timed in the same way, by watches of a third party. API server, nodes, operator and clock share the cores. With',
      '`-- --services=200 --edits=20` it takes less than half of the time (15 to 18 minutes on two cores); the rows say which it was.',
    ],
  },
  {
    name: 'region',
    title: 'A region of cities',
    about: [
      'The loss of a city is measured on a hub and three cities as whole clusters, with model servers that answer and images',
      'that are there: from the moment when one is cut off until the hub counts all guaranteed replicas ready elsewhere, less',
      'the 15 seconds that the service grants. It includes the start of the model servers. Messages are what the city itself',
      'counts, reports and heartbeats, while nothing happens and the shortest grace is the default of 90 seconds.',
      '',
      'The hub with many cities is the operator as a process of its own, bundled as in its image, with the account that the',
      'chart makes, against a real API server. The cities are played by one process through that API by the rules of the',
      'contract; every service has one replica, and is ready as soon as its city has heard of it. The hub has the heap that',
      "Node takes inside the chart's memory limit of 512 MiB. Placement in memory is the operator's own pure code without any",
      'API server. Everything shares the cores; while all is placed the API server takes most of them, so that how long that',
      'takes is for the most part its figure. With `-- --cities=50 --services-per-city=10` it takes a quarter of the',
      'time; the rows say which it was.',
      '',
      'Each city is cut off right after one of its heartbeats, with which the grace begins, so that no loss looks shorter than it',
      'is. A service that is spread loses one of its three replicas, one that stands in a single city all three. The goal is',
      '3 s. What is left after the grace is for the most part the start of model servers, on cores that four clusters share: on a',
      'machine half as fast as the one below, one or two replicas took up to 2.5 s, and three at once 3 to 7 s.',
    ],
  },
  {
    name: 'server',
    title: 'The model server',
    about: [
      'Requests over HTTP on the loopback interface, to one model at a time, from clients that send the next request when',
      'the last one is answered: one image, eight images or one tabular row in each, as JSON (TensorFlow Serving) and as a',
      'raw tensor (Open Inference Protocol, binary in both directions). The image classifier has two convolutions and two',
      'dense layers, the tabular model two dense layers; both are SavedModels on the CPU. The server is bundled as in its',
      'image and has its defaults. Memory and processor time are those of all its processes.',
      '',
      'The limit is the same model called in a loop inside a process without server, protocol or queue, with as many rows',
      'in each run as the clients could at best fill, but no more than the server joins (32), dealt out to the cores or with runs',
      'side by side, as the server would have it. Its time is that of one run. Clients and server share the cores; the loop has',
      'all of them for itself, so on two cores a row of 24 numbers, whose arithmetic takes microseconds, cannot come near it:',
      'there the figures are those of HTTP. Each round goes through the loop and all servers before the next one begins, and',
      'the median of the rounds counts.',
      '',
      'Large requests beside small ones are 40,000 rows in 6.6 MB of JSON, again and again. Whoever reads and writes those on the',
      'thread that answers everybody lets the small ones wait.',
    ],
    sections: [
      {
        prefix: WAYS,
        title: 'How runs use the cores',
        about: [
          'Runs of the bare engine, by turns as the server chooses them from what runs of that size took, and each way always:',
          'one thread computes everything; the rows are dealt out to the cores, and each share is a run on one thread; or every',
          'operation divides its work among all threads, as TensorFlow has it. A single row cannot be dealt out. What is shorter than',
          '0.25 ms the server computes on the thread that asks. About one run in a hundred goes another way, to try it again.',
        ],
      },
      {
        prefix: VARIABLES,
        title: 'Constants in place of variables',
        about: [
          'Models as Keras exports them, which are full of variables: runs of the bare engine, by turns with the constants that the',
          'server makes of them and with the variables as they are.',
        ],
      },
    ],
  },
  {
    name: 'server-peers',
    command: 'bench:server -- --peers',
    title: 'The model server beside others',
    about: [
      'The same SavedModels, requests, clients and rounds as in the chapter before, in one run with MLServer, the Python',
      'server of KServe, BentoML, Ray Serve, LitServe, mosec, PyTriton (which is the Triton binary with a model in Python',
      'behind it) and FastAPI by hand. Their programs are in `test/bench/peers/`, with the versions of all that is installed',
      'for them. They run as somebody would run them who wants speed: the TensorFlow of our server (2.19.1), called through a',
      'session, which took about half the processor time of the call that its guide shows; objects from start-up frozen away',
      "from Python's garbage collector; uvloop; joined requests wherever the server can; one or two processes, whichever suits",
      'it on two cores. Their answers were compared with ours before anything was measured.',
      '',
      'JSON is the dialect that each prefers: rows of TensorFlow Serving or its like, or the Open Inference Protocol (MLServer,',
      'PyTriton). Binary is the Open Inference Protocol (KServe, PyTriton) or bare numbers in a request (FastAPI, and mosec,',
      'which answers in JSON). A cell is empty where a server has no binary protocol or failed under that load, as BentoML does',
      'with 503 where many wait. Memory is the sum of what is resident in all processes of a server; pages that they share',
      'count in each.',
      '',
      'With short rounds on shared cores, differences under 30 % say nothing, and nothing is claimed from them. Servers that are',
      'not measured at the moment still run, and some of them are never quite idle.',
    ],
    sections: [
      {
        prefix: FAILURE,
        title: 'What goes wrong in them',
        about: [
          'Each server alone, with the image model called as the guide of TensorFlow shows. Ours are tests as well:',
          '`test/unit/model-server/serve/failures-of-peers.test.ts`. Wrong shapes are 31×32×3, 32×31×3 and a flat list of 3,072',
          'numbers. Clients that are refused wait a second before they ask again; after 20 seconds without an answer a request has',
          'failed. At SIGTERM the clients send nothing new and only wait for what they have asked.',
        ],
      },
    ],
  },
];
