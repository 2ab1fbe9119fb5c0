export declare const prebuilt: string;
export declare function obstacle(): string | undefined;
export declare function isFresh(): boolean;
