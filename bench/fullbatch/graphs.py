"""Variable-metric ADMM on a graph convolutional network beside Adam, a trial in numpy: softmax(Ã f(Ã X W_1) W_2), no biases.

    python3 bench/fullbatch/graphs.py FOLDER cora|citeseer|dblp [--method admm|adam] [--seeds 10] [--settings JSON]

u_2 = p − y on the training nodes, u_1 = (Ãᵀ u_2 W_2ᵀ) ∘ f′. G_l is the second moment of the rows of Ã Z_{l−1} that the loss can see,
P_l that of the multipliers for labels drawn by the model. Adam as Kipf and Welling have it: 16 hidden, dropout .5, weight decay 5e-4."""
import argparse, json, os
import numpy as np, scipy.sparse as sp

def graph(path):
    d = np.load(path, allow_pickle=True)
    A, X = (sp.csr_matrix((d[k + '_data'], d[k + '_indices'], d[k + '_indptr']), shape=tuple(d[k + '_shape'])).astype(float) for k in ('adj', 'attr'))
    A = A.maximum(A.T) + sp.eye(A.shape[0]); D = sp.diags(np.asarray(A.sum(1)).ravel() ** -.5)
    X = sp.diags(1 / np.maximum(np.asarray(X.sum(1)).ravel(), 1e-12)) @ X
    return (D @ A @ D).tocsr(), X.tocsr(), d['labels'], tuple(d[k] for k in ('train_idx', 'val_idx', 'test_idx')) if 'train_idx' in d.files else None
def split(y, seed):
    rng = np.random.default_rng(seed); by = [rng.permutation(np.flatnonzero(y == c)) for c in range(y.max() + 1)]
    return tuple(np.concatenate([c[a:b] for c in by]) for a, b in ((0, 20), (20, 50), (50, None)))
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True)); return e / e.sum(1, keepdims=True)
def glorot(rng, i, o): return rng.uniform(-1, 1, (i, o)) * (6 / (i + o)) ** .5
def inverse(C, m): return np.linalg.inv(C + m * np.trace(C) / len(C) * np.eye(len(C)))

class Task:
    """What the loss can see of a graph: H, rows of Ã X, and A, those of Ã that the training nodes have."""
    def __init__(self, whole, X, y, parts):
        self.whole, self.AX, self.y, (train, self.validation, self.test) = whole, (whole @ X).tocsr(), y, parts
        seen = np.unique(whole[train].indices)
        self.H, self.A, self.Y = self.AX[seen], whole[train][:, seen].tocsr(), np.eye(y.max() + 1)[y[train]]
        self.gram = None
    def accuracy(self, W, part): return float(((self.whole @ (np.maximum(self.AX @ W[0], 0) @ W[1]))[part].argmax(1) == self.y[part]).mean())

def adam(t, rng, hidden=16, epochs=200, rate=.01, decay=5e-4):
    W = [glorot(rng, t.H.shape[1], hidden), glorot(rng, hidden, t.Y.shape[1])]; m, v = [0, 0], [0, 0]
    for k in range(1, epochs + 1):
        X = t.H.copy(); X.data = X.data * (rng.random(len(X.data)) < .5) * 2
        z = X @ W[0]; mask = (rng.random(z.shape) < .5) * 2.; h = t.A @ (np.maximum(z, 0) * mask)
        u = (softmax(h @ W[1]) - t.Y) / len(t.Y)
        for i, d in enumerate((X.T @ ((t.A.T @ (u @ W[1].T)) * mask * (z > 0)) + decay * W[0], h.T @ u)):
            m[i] = .9 * m[i] + .1 * d; v[i] = .999 * v[i] + .001 * d * d
            W[i] = W[i] - rate * m[i] / (1 - .9 ** k) / (np.sqrt(v[i] / (1 - .999 ** k)) + 1e-8)
    return W

def admm(t, rng, hidden=128, sweeps=50, mu=100., mu_p=30., s=.3, lam=1e-4):
    W = [glorot(rng, t.H.shape[1], hidden), glorot(rng, hidden, t.Y.shape[1])]; n, n1 = len(t.Y), t.H.shape[0]
    if t.gram is None: t.gram = inverse((t.H.T @ t.H).toarray() / n1, mu)
    def look(W):
        z = t.H @ W[0]; h = t.A @ np.maximum(z, 0); p = softmax(h @ W[1])
        return z, h, p, -np.log((p * t.Y).sum(1) + 1e-300).mean() + lam / 2 * sum((w * w).sum() for w in W)
    def duals(z, p, W, Y): return (t.A.T @ ((p - Y) @ W[1].T)) * (z > 0), p - Y
    at = look(W)
    for _ in range(sweeps):
        z, h, p, F = at; u = duals(z, p, W, t.Y)
        v = duals(z, p, W, np.eye(p.shape[1])[np.minimum(p.shape[1] - 1, (p.cumsum(1) <= rng.random((n, 1))).sum(1))])
        grad = t.H.T @ u[0] / n + lam * W[0], h.T @ u[1] / n + lam * W[1]
        V = [-s * t.gram @ grad[0] @ inverse(v[0].T @ v[0] / n, mu_p), -s * inverse(h.T @ h / n, mu) @ grad[1] @ inverse(v[1].T @ v[1] / n, mu_p)]
        new = [w + d for w, d in zip(W, V)]; tried = look(new); reduction = (tried[3] - F) / sum((g * d).sum() for g, d in zip(grad, V))
        if tried[3] <= F: W, at, s = new, tried, s * (1.1 if reduction > .6 else .8 if reduction < .25 else 1)
        else: s *= .5
    return W

if __name__ == '__main__':
    arg = argparse.ArgumentParser(); arg.add_argument('folder'); arg.add_argument('name'); arg.add_argument('--method', default='admm', choices=('admm', 'adam'))
    arg.add_argument('--seeds', type=int, default=10); arg.add_argument('--settings', type=json.loads, default={}); arg = arg.parse_args()
    *whole, parts = graph(os.path.join(arg.folder, arg.name + '.npz')); scores = []
    for seed in range(1, arg.seeds + 1):
        if seed == 1 or parts is None: t = Task(*whole, parts or split(whole[2], seed))
        W = (admm if arg.method == 'admm' else adam)(t, np.random.default_rng(seed), **arg.settings); scores.append([t.accuracy(W, t.validation), t.accuracy(W, t.test)])
    mean, deviation = np.mean(scores, 0), np.std(scores, 0, ddof=1)
    print(arg.name, arg.method, json.dumps(arg.settings), *(f'{part} {m:.4f} ± {d:.4f}' for part, m, d in zip(('validation', 'test'), mean, deviation)))
