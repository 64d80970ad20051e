/** The chapters of docs/model-server.md about running without an operator, versions and signatures. */

export const ALONE = `## Alone

\`\`\`sh
npx model-server --model traffic=examples/traffic/models/1 --port 8080    # in a checkout, after \`npm run bootstrap\`
docker run --rm -p 8080:8080 -v "$PWD/models:/models:ro" aicity/model-server \\
  /app/main.mjs --model traffic=/models/traffic                           # the image's entry point is node
curl http://127.0.0.1:8080/                                               # says what is served, with requests to copy
\`\`\`

Several models take several \`--model\`, and each has a queue of its own. What flags say for all models a file says for
each, as YAML or JSON; a field that is wrong is named with what was found and what was expected:

\`\`\`yaml
# model-server --config models.yaml
models:
  - name: traffic
    uri: ./traffic              # a path from this file on, or an address
    versions: latest:2          # or all, or [2, 3]; by default the highest, which follows new ones
    labels: {stable: 2}
    publicKeyFile: ./cosign.pub
    serving: {maxBatchSize: 64}
  - {name: air, uri: s3://models/air}
serving: {queueCapacity: 512}   # for all models that do not say otherwise
port: 8080
\`\`\`

Also \`host\`, \`cacheDirectory\`, \`maxBodyBytes\`, \`maxHeldBytes\`, \`maxModelBytes\`, \`recycleBytes\`, \`drainLagSeconds\`,
\`drainLimitSeconds\`, \`logLevel\` and \`accessLogShare\` at the top, and \`format\` and \`digest\` of a model. Flags outrank variables, variables
outrank the file. Who runs alone may load and unload models by request; under an operator that is refused, since
\`spec.model\` decides.

## Versions

\`versions\` are TensorFlow Serving's policies: the latest so many, all, or certain ones, each served under
\`/versions/{n}\` and, where it has a label, under \`/labels/{label}\`; a request that names none means the highest that is
loaded. New directories are taken once two looks have found their files unchanged: on volumes every 5 seconds, in buckets
every half minute. Over \`https://\` and \`oci://\`, where nothing can be listed, name the numbers. Without a policy the highest
version is served and followed, which is what a pod does, too.

A new version is loaded and has answered before an old one goes, and an old one goes only after its last answer. One load at a
time is in TensorFlow, and the next waits until what was replaced is out of memory: a swap takes the memory of one model more,
whatever is asked for at once. A version that fails leaves the others serving.

\`npm run soak -- --seconds 3600 --swap-seconds 60\` publishes a version a minute under full load, checks every number that
clients get, and fails when a request does or when memory grows by more than 10 % and 32 MiB from the second quarter of the time
to the last. In five minutes on two busy cores 16 clients were answered 21,547 times by 14 versions of a model of 16 MiB without
a failure, with 627 MiB resident early and 662 MiB late.

## Warm-up

Before a model takes requests it answers what its directory brings along, each once: the predict logs of
\`assets.extra/tf_serving_warmup_requests\`, as TensorFlow Serving records them, and the list of Open Inference Protocol requests
in \`warmup.json\` (each with \`signature_name\` where it is not the default one); up to 1,000 of each. Then every signature
answers made-up requests, alone and as a full batch. A recorded request that fails keeps the model out, with its place in the
message. Over \`https://\` a directory cannot be listed and brings none of it: give an archive.

## Signatures

\`spec.model.signature.publicKey\` (alone \`--public-key\`) serves only what is signed with that key: ECDSA, Ed25519, or RSA of
2048 bits at least. What is signed are the lines that \`spec.model.digest\` is taken of, without those of the signature's own
files in the model's directory:

\`\`\`sh
cd model/3
find . -type f ! -name model.sig ! -name model.sigstore.json -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum > /tmp/lines
openssl dgst -sha256 -sign key.pem -out model.sig /tmp/lines            # or
cosign sign-blob --key cosign.key --bundle model.sigstore.json /tmp/lines
\`\`\`

Of a sigstore bundle the signature counts alone, since the key is given: certificates and the transparency log are not asked,
and keyless signatures are not supported. What is unsigned is refused with \`SignatureMissing\`, what was changed or is signed by
somebody else with \`SignatureInvalid\`; the model before it goes on serving. A signature says who made a model, not which
version it is: pin \`spec.model.version\` or \`spec.model.digest\` against an older one being put in its place.
## Priorities and time limits

A request may say that it is urgent or that it can wait: with the parameter \`priority\` of the Open Inference Protocol as Triton
reads it (1 is the highest, 0 and 2 the default, all above 2 can wait), or with the header of RFC 9218 (\`Priority: u=0\` to
\`u=7\`, 3 being the default). Urgent requests overtake what came up to half of \`requestTimeoutSeconds\` before them, and those
that can wait give way for as long, so that nothing waits for ever. A full queue refuses all alike.

A queue is full with \`queueCapacity\` requests, or when the engine needs more than \`maxBacklogMilliseconds\` (2,000) for what
waits, by the time that its latest runs of such a size took for a row of the same model, signature and shape. So a burst of
small requests may wait together while heavy ones are refused at once, with the time to come back in \`Retry-After\`, instead of
being answered when nobody wants to know any more. As many rows as one batch takes may always wait: together they may cost far
less than alone.

How long a request may wait, where that is less than \`requestTimeoutSeconds\`, is said by the parameter \`timeout\` in
microseconds, by gRPC's deadline, or by the header \`Request-Timeout\` in seconds. What waits for a client that has gone is
dropped.

A client has 10 seconds for the head of an HTTP request, a minute for all of it, as for a message over gRPC, and a minute for
each next byte of an answer. Whatever clients begin and leave, requests and answers together hold no more than
\`MODEL_SERVER_MAX_HELD_BYTES\` and the answers to what was let in before; until something is taken, requests are refused.

## Traces and access log

With \`OTEL_EXPORTER_OTLP_ENDPOINT\` set every inference request is a span over OTLP/HTTP, with \`decode\`, \`queue\`,
\`compute\` and \`encode\` below it. A caller's \`traceparent\` is continued, over HTTP and gRPC; the answer carries the span in
\`traceresponse\`. Without the variable nothing of it is loaded. \`MODEL_SERVER_ACCESS_LOG_SHARE\` logs a share of the requests,
with model, status, times and the id of the trace, and all that fail for a reason of the server's. Never logged: what a request
contains.

`;
