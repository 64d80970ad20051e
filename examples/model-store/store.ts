/** Files of a directory over HTTP, read-only: enough of a model store for a cluster without a bucket. */
import express, { type Express } from 'express';

/**
 * `GET /traffic/1/model.json` gives that file below `directory`, with ETag and byte ranges, so that a model server can
 * resume a broken transfer and ask whether a model has changed. Names that begin with a dot are refused.
 */
export function modelStore(directory: string): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    response.type('text').send('ok\n');
  });
  app.use(express.static(directory, { index: false, redirect: false, dotfiles: 'deny' }));
  app.use((request, response) => {
    response.status(404).type('text').send(`there is no file ${request.path}\n`);
  });
  return app;
}
