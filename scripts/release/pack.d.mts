interface Packed {
  readonly tarball: string;
  readonly packed: readonly { readonly path: string; readonly size: number }[];
  readonly size: number;
  readonly unpackedSize: number;
}
export function packMain(to: string): Promise<Packed>;
export function packPlatform(platform: string, addon: string, to: string): Promise<Packed>;
