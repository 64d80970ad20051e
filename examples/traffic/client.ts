/**
 * Forecasts the held-out month through the traffic service and prints its error beside "same hour last week".
 *
 *   kubectl port-forward service/traffic 8080:80 &
 *   node examples/traffic/client.ts --url http://127.0.0.1:8080 [--model traffic] [--protocol tfs|oip] [--day 2012-12-14]
 */
import { parseArgs } from 'node:util';
import { hourOf, timeOf } from './dataset.ts';
import { type Evaluation, evaluateHeldOutMonth } from './evaluation.ts';
import { PROTOCOLS } from './protocols.ts';
import { formatScore, improvementPercent } from './score.ts';

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    model: { type: 'string', default: 'traffic' },
    protocol: { type: 'string', default: 'tfs' },
    day: { type: 'string', default: '2012-12-14' },
  },
});

function printDay({ cases, forecasts }: Evaluation, day: string): void {
  const midnight = hourOf(`${day}T00:00`);
  console.log(`${day}  forecast  counted  a week before`);
  cases.forEach((each, index) => {
    if (each.hour < midnight || each.hour >= midnight + 24) return;
    const row = [forecasts[index] ?? 0, each.users, each.naive].map((value, column) =>
      value.toFixed(0).padStart([8, 9, 15][column] ?? 8),
    );
    console.log(`     ${timeOf(each.hour).slice(11)}${row.join('')}`);
  });
}

try {
  const protocol = PROTOCOLS.find((each) => each === values.protocol);
  if (!protocol) throw new Error(`--protocol is ${values.protocol}; expected ${PROTOCOLS.join(' or ')}`);
  const evaluation = await evaluateHeldOutMonth({
    url: values.url,
    model: values.model,
    protocol,
    timeoutSeconds: 30,
  });
  printDay(evaluation, values.day);
  const { model, naive } = evaluation;
  console.log(`\nthe held-out month, ${model.hours} hours that the model has never seen`);
  console.log(`  ${values.model}:              ${formatScore(model)}`);
  console.log(`  same hour last week:  ${formatScore(naive)}`);
  console.log(`  MAE is ${improvementPercent(model, naive).toFixed(0)} % lower`);
} catch (error) {
  const { message, cause } = error as Error;
  console.error(`${message}${cause instanceof Error ? `: ${cause.message}` : ''}`);
  process.exitCode = 1;
}
