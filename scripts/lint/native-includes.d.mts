export declare function faultOf(file: string, included: string): string | undefined;
export declare function faultsIn(folder: string): readonly string[];
