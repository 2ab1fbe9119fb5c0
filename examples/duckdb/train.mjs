// npm install dladmm @duckdb/node-api
import { DuckDBInstance } from '@duckdb/node-api';
import { fit } from 'dladmm';
import { sql } from 'dladmm/data';

const file = process.argv[2] ?? 'trips.parquet';
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const query = `
  select distance, passengers, hour(started_at) as hour, dayname(started_at) as weekday, fare
  from read_parquet('${file.replaceAll("'", "''")}')
  where fare > 0`;

const { model, report } = await fit(sql(query, connection), { target: 'fare' });
console.log(String(report));
console.log(await model.predict({ distance: 3.5, passengers: 2, hour: 18, weekday: 'Friday' }));
await model.save(process.argv[3] ?? 'fare.safetensors');
