export interface Options {
  host: string;
  port: number;
  timeout: number;
}

const defaults: Options = {
  host: "localhost",
  port: 8080,
  timeout: 5000,
};

export function withDefaults(options: Partial<Options>): Options {
  return {
    host: options.host ?? defaults.host,
    port: options.port ?? defaults.port,
    <|cursor|>
  };
}
