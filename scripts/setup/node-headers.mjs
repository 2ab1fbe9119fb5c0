// Where the headers of the Node at work are, so that node-gyp need not download them.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

/** The folder that npm was told of, if it was. */
export function configuredHeaders() {
  const name = Object.keys(process.env).find((each) => each.toLowerCase() === 'npm_config_nodedir');
  return (name && process.env[name]) || undefined;
}

/** The folder for node-gyp's --nodedir; undefined when there is none, or when npm was told of one. */
export function nodeHeaders() {
  if (configuredHeaders()) return undefined;
  const major = process.versions.node.split('.')[0];
  return [path.dirname(path.dirname(realpathSync(process.execPath))), '/usr'].find((prefix) => {
    const header = path.join(prefix, 'include', 'node', 'node_version.h');
    return (
      existsSync(header) &&
      existsSync(path.join(prefix, 'include', 'node', 'node.h')) &&
      existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) &&
      new RegExp(`^#define NODE_MAJOR_VERSION ${major}$`, 'm').test(readFileSync(header, 'utf8'))
    );
  });
}
