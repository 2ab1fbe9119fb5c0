export declare const prebuilt: string;
export declare function obstacle(): string | undefined;
export declare function ensurePrebuilt(
  tell: (text: string) => void,
  options?: { readonly platform?: string },
): Promise<void>;
export declare function prebuiltOf(platform: string): string;
