// What Lambda does with a function: imports the module that the name of the handler says, and calls it.
import { pathToFileURL } from 'node:url';

const { handler } = await import(pathToFileURL(`${process.env.LAMBDA_TASK_ROOT}/index.mjs`).href);
handler({}, {}).then(
  ({ body }) => console.log(body),
  ({ code, message }) => {
    console.error(code, message);
    process.exitCode = 1;
  },
);
