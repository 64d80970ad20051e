/** Serves MODELS_DIRECTORY (default /models) on PORT (default 8080) until SIGTERM. */
import { modelStore } from './store.ts';

const directory = process.env.MODELS_DIRECTORY ?? '/models';
const port = Number(process.env.PORT ?? 8080);

const server = modelStore(directory).listen(port, (error?: Error) => {
  if (error) throw error;
  console.log(`serving ${directory} on port ${port}`);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeIdleConnections();
  });
}
