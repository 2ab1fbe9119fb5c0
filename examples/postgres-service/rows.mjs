// npm install dladmm fastify pg pg-cursor
import pg from 'pg';
import Cursor from 'pg-cursor';

/** The rows of a query, a few thousand at a time: no more of them is in memory than that. */
export async function* rows(connectionString, query, values = []) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const cursor = client.query(new Cursor(query, values));
  try {
    for (let batch = await cursor.read(5000); batch.length > 0; batch = await cursor.read(5000)) yield* batch;
  } finally {
    await cursor.close();
    await client.end();
  }
}
