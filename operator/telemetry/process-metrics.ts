/**
 * What the process costs. prom-client's own collection is not used: for as long as the process lives it observes
 * every garbage collection and samples the event loop, which costs more than the numbers are worth.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { type MetricDefinition, processMetricList } from './metric-list.ts';

/** Adds the numbers of this process to a registry; they are taken when the registry is read. */
export function registerProcessMetrics(registry: Registry): void {
  const inRegistry = ({ name, help }: MetricDefinition) => ({ name, help, registers: [registry] });
  const gauge = (definition: MetricDefinition, read: () => number) =>
    new Gauge({
      ...inRegistry(definition),
      collect(this: Gauge) {
        this.set(read());
      },
    });

  let countedSeconds = 0;
  new Counter({
    ...inRegistry(processMetricList.cpu),
    collect(this: Counter) {
      const { user, system } = process.cpuUsage(); // microseconds since the start
      const seconds = (user + system) / 1e6;
      this.inc(seconds - countedSeconds);
      countedSeconds = seconds;
    },
  });
  gauge(processMetricList.start, () => performance.timeOrigin / 1000);
  gauge(processMetricList.memory, () => process.memoryUsage.rss());
  gauge(processMetricList.heap, () => process.memoryUsage().heapUsed);
  let before = performance.eventLoopUtilization();
  gauge(processMetricList.eventLoop, () => {
    const { utilization } = performance.eventLoopUtilization(before);
    before = performance.eventLoopUtilization();
    return utilization;
  });
}
