"""Variants of variable-metric ADMM that were tried and not kept, in numpy: z_L by its proximal step, multipliers averaged from sweep
to sweep, sequential targets, Gauss and Seidel's order. Each by the accuracy on images held out.

    python3 bench/fullbatch/variants.py FOLDER [--samples 6000] [--held-out 2000] [--sweeps 25] [--seeds 3] [--only NAME,NAME]

FOLDER holds the idx files of MNIST or of a set like it."""
import argparse, gzip, json, os
import numpy as np

f = np.float32
MU, MU_P, S, M, WIDTH = 100., .3, .3, .8, 256
VARIANTS = {
    'base': {}, 'prox rho=1': {'prox': 1.}, 'prox rho=.1': {'prox': .1}, 'averaged .5': {'average': .5},
    'sequential targets': {'order': 'targets'}, 'gauss-seidel': {'order': 'gauss-seidel'},
}

def images(folder, part):
    def read(name):
        path = os.path.join(folder, name)
        with gzip.open(path + '.gz') if os.path.exists(path + '.gz') else open(path, 'rb') as file: return file.read()
    x = np.frombuffer(read(part + '-images-idx3-ubyte'), np.uint8, offset=16).reshape(-1, 784)
    return (x / 255).astype(f), np.frombuffer(read(part + '-labels-idx1-ubyte'), np.uint8, offset=8).astype(int)

ones = lambda a: np.c_[a, np.ones(len(a), f)]
def forward(W, X):
    A, Z = [ones(X)], []
    for l, w in enumerate(W):
        Z.append(A[-1] @ w.T)
        if l < len(W) - 1: A.append(ones(np.maximum(Z[-1], 0)))
    return A, Z
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True)); return e / e.sum(1, keepdims=True)
def objective(z, y):
    m = z.max(1, keepdims=True); return float((m[:, 0] + np.log(np.exp(z - m).sum(1)) - z[np.arange(len(y)), y]).mean(dtype=np.float64))
def multipliers(W, Z, u):
    U = [u]
    for l in range(len(W) - 1, 0, -1): U.insert(0, (U[0] @ W[l][:, :-1]) * (Z[l - 1] > 0))
    return U
def inverse(C, m): return np.linalg.inv(C + m * np.trace(C) / len(C) * np.eye(len(C), dtype=f)).astype(f)
def proximal(z, Y, rho):
    """The gradient of R at argmin R(x) + rho/2 |x - z|^2, by Newton's method."""
    x = z.astype(np.float64)
    for _ in range(30):
        p = softmax(x); r = p - Y + rho * (x - z); d = p + rho
        step = r / d + p / d * ((p * r / d).sum(1) / (1 - (p * p / d).sum(1)))[:, None]
        x -= step * np.minimum(1, 2 / (1e-12 + np.abs(step).max(1, keepdims=True)))
    return (rho * (z - x)).astype(f)

def run(X, y, Xv, yv, sweeps, seed, prox=0, average=0, order='jacobi', s=S, mu=MU, mu_p=MU_P, m=M):
    rng = np.random.default_rng(seed); N = len(X); Y = np.eye(10, dtype=f)[y]; at = {}
    dims = [784, WIDTH, WIDTH, 10]
    W = [np.c_[rng.standard_normal((o, i)) * (2 / i) ** .5, np.zeros(o)].astype(f) for i, o in zip(dims, dims[1:])]
    C1 = ones(X).T @ ones(X) / f(N)
    V, momentum, back, before = [0 * w for w in W], m, 0, None
    def look(W, metrics=None):
        A, Z = forward(W, X); p = softmax(Z[-1]); F = objective(Z[-1], y)
        U = true = multipliers(W, Z, p - Y)
        if prox: U = multipliers(W, Z, proximal(Z[-1], Y, prox))
        if metrics is None:
            drawn = multipliers(W, Z, p - np.eye(10, dtype=f)[np.minimum(9, (p.cumsum(1) <= rng.random((N, 1))).sum(1))])
            metrics = [v.T @ v / f(N) for v in drawn], [C1] + [a.T @ a / f(N) for a in A[1:]]
        return dict(W=W, A=A, Z=Z, F=F, U=U, metrics=metrics, grad=[u.T @ a / f(N) for u, a in zip(true, A)])
    point = look(W)
    for k in range(sweeps):
        if average and before is not None: point['U'] = [average * b + (1 - average) * u for b, u in zip(before, point['U'])]
        before = point['U']; S_, C = point['metrics']; W, new, newV = point['W'], [], []
        P = [inverse(c, mu_p) for c in S_]
        for l, w in enumerate(W):
            if order == 'gauss-seidel' and l:   # multipliers and metrics of the layers below as they now are
                here = look(new + W[l:], point['metrics']); a, u, z = here['A'][l], here['U'][l], here['Z'][l]; shift = 0
                c = a.T @ a / f(N)
            elif order == 'targets' and l:      # the targets of before, inputs as they now are
                a = ones(np.maximum(a @ new[-1].T, 0)); shift = a @ w.T - point['Z'][l]; u = point['U'][l]; c = a.T @ a / f(N)
            else: a, u, shift, c = point['A'][l], point['U'][l], 0, C[l]
            D = ((s * (u @ P[l]) + shift).T @ a / f(N)) @ inverse(c, mu)
            newV.append(momentum * V[l] - D); new.append(w + newV[-1])
        tried = look(new)
        expected = sum(float((g * v).sum()) for g, v in zip(point['grad'], newV))
        reduction = (tried['F'] - point['F']) / expected
        if tried['F'] <= point['F']:
            point, V, momentum = tried, newV, m
            s *= 1.1 if reduction > .6 else .8 if reduction < .25 else 1
        else: back += 1; momentum = 0; s *= .5
        if k + 1 in (10, 25, sweeps): at[k + 1] = float((forward(point['W'], Xv)[1][-1].argmax(1) == yv).mean())
    return dict(accuracy=at, objective=point['F'], takenBack=back)

if __name__ == '__main__':
    arg = argparse.ArgumentParser(); arg.add_argument('folder'); arg.add_argument('--only', default=','.join(VARIANTS))
    for name, value in dict(samples=6000, held_out=2000, sweeps=25, seeds=3).items(): arg.add_argument('--' + name.replace('_', '-'), type=int, default=value)
    arg = arg.parse_args()
    X, y = images(arg.folder, 'train'); X, y = X[:arg.samples], y[:arg.samples]; n = len(X) - arg.held_out
    for seed in range(1, arg.seeds + 1):
        for name in arg.only.split(','):
            print(name, 'seed', seed, json.dumps(run(X[:n], y[:n], X[n:], y[n:], arg.sweeps, seed, **VARIANTS[name])), flush=True)
