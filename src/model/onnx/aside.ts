/** What stands behind a network in an ONNX graph: nodes that make names of classes, or pairs of probabilities, of its answer. */
import { wholesOf } from './constants.js';
import { type Graph, nameOf } from './graph.js';
import { attributeOf, textsIn } from './proto.js';
import type { OnnxNode } from './schema.js';

/** Nodes that make class names of the answer, and what may follow them. */
const NAMING = ['ArgMax', 'ArrayFeatureExtractor', 'ZipMap', 'LabelEncoder'];
const AFTER_NAMING = [...NAMING, 'Cast', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten'];
/** How the two probabilities are made of the one behind a sigmoid. */
const PAIRING = ['Sub', 'Concat'];

/** Whether a node stands behind the network: it, and all that depends on it, make names or pairs of the answer. */
export function isAside(graph: Graph, node: OnnxNode, value: string, mayPair: boolean): boolean {
  if (NAMING.includes(node.op)) return true;
  if (node.op === 'Concat') return true;
  return mayPair && node.op === 'Sub' && node.inputs[1] === value && graph.constants.has(node.inputs[0] ?? '');
}

/** Nothing behind the network may compute; classes that a node names are what is looked for. */
export function readAside(graph: Graph, nodes: readonly OnnxNode[], pairs: boolean): readonly string[] | undefined {
  const seen = new Set<OnnxNode>(nodes);
  const allowed = pairs ? [...AFTER_NAMING, ...PAIRING] : AFTER_NAMING;
  let classes: readonly string[] | undefined;
  for (const node of seen) {
    if (!allowed.includes(node.op)) {
      const text = 'export the network alone, and do to its outputs what is done here';
      throw graph.refusal(`${nameOf(node)} has no place behind a multilayer perceptron`, text);
    }
    classes ??= classesIn(graph, node);
    for (const output of node.outputs) for (const next of graph.consumersOf(output)) seen.add(next);
  }
  return classes;
}

function classesIn(graph: Graph, node: OnnxNode): readonly string[] | undefined {
  const { op, inputs } = node;
  if (op === 'ZipMap') {
    const texts = attributeOf(node, 'classlabels_strings')?.texts ?? [];
    return texts.length > 0 ? texts : (attributeOf(node, 'classlabels_int64s')?.wholes.map(String) ?? []);
  }
  const constant = op === 'ArrayFeatureExtractor' ? graph.constants.get(inputs[0] ?? '') : undefined;
  if (!constant || !('dims' in constant.stored)) return undefined;
  const texts = textsIn(constant.stored, graph.file);
  return texts.length > 0 ? texts : wholesOf(constant, graph.file)?.map(String);
}
