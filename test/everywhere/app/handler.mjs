import { drill } from './drill.mjs';

export const handler = async () => ({ statusCode: 200, body: JSON.stringify(await drill()) });
