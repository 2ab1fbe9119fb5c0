import { existsSync } from 'node:fs';
import { loadModel } from 'dladmm';
import Fastify from 'fastify';
import { train } from './train.mjs';

const untilHour = (hour, now = new Date()) => {
  const next = new Date(now);
  next.setHours(hour, 0, 0, 0);
  if (next <= now) next.setDate(next.getDate() + 1);
  return next - now;
};

/** The service: POST /predict answers for one customer or many, POST /train trains at once; every night at `hour` it trains by itself. */
export async function serve({ connectionString, path, port = 3000, hour = 3 }) {
  const app = Fastify({ logger: process.env.LOG === '1' });
  const stop = new AbortController();
  let model = existsSync(path) ? await loadModel(path) : undefined;
  let training;

  /** The new model takes over between two requests; the old one is closed once its answers under way are given. */
  const renew = async () => {
    const report = await train({ connectionString, path, signal: stop.signal });
    const old = model;
    model = await loadModel(path);
    await old?.close({ drain: true });
    return report;
  };
  const once = () => {
    training ??= renew().finally(() => {
      training = undefined;
    });
    return training;
  };

  app.post('/predict', async ({ body }, reply) => {
    if (model === undefined) return reply.code(503).send({ error: 'no model yet: POST /train' });
    try {
      return await (Array.isArray(body) ? Promise.all(body.map((row) => model.predict(row))) : model.predict(body));
    } catch (error) {
      // What is wrong with a customer's record is for the sender to know.
      if (/^ERR_DLADMM_(?:ARGUMENT|NON_FINITE|SHAPE)$/.test(error.code))
        return reply.code(400).send({ error: error.message });
      throw error;
    }
  });
  app.post('/train', async () => ({ report: String(await once()) }));

  let timer;
  const nightly = () => {
    timer = setTimeout(() => {
      once().catch((error) => app.log.error(error));
      nightly();
    }, untilHour(hour));
  };
  nightly();
  // Before requests under way are waited for, of which one may be a training.
  app.addHook('preClose', async () => {
    clearTimeout(timer);
    stop.abort();
  });
  app.addHook('onClose', async () => {
    await training?.catch(() => undefined);
    await model?.close({ drain: true });
  });
  await app.listen({ port });
  return app;
}

if (process.argv[1] === import.meta.filename) {
  const app = await serve({
    connectionString: process.env.DATABASE_URL,
    path: process.env.MODEL ?? 'churn.safetensors',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close());
}
