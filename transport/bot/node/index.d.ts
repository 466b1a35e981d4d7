// Types of @discluster/bot. Times are in milliseconds, ids of guilds are decimal strings.

/** The version of this package. */
export const version: string;

/** What can be sent to other clusters. A bigint is none: send it as a string. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/**
 * - `STANDALONE`: CONTROL did not start this process, it may run as it would without CONTROL.
 * - `INVALID`: an argument, or a variable of the environment; the message names value and rule.
 * - `SOCKET`: DISCLUSTER_SOCKET is taken, or cannot be listened at.
 * - `AWAY`: CONTROL is not connected.
 * - `BUSY`: 1,024 requests are open, or 4 MiB wait for CONTROL; try again later.
 * - `LIMIT`: a frame has over 8 MiB.
 * - `NO_ANSWER`: the time is over.
 * - `REFUSED`: CONTROL refused a request, or Discord the bot.
 * - `STOPPING`: the cluster is stopping.
 * - `LOST`: CONTROL was away for longer than this cluster may be alone.
 */
export type ErrorCode =
  | 'STANDALONE' | 'INVALID' | 'SOCKET' | 'AWAY' | 'BUSY' | 'LIMIT' | 'NO_ANSWER' | 'REFUSED'
  | 'STOPPING' | 'LOST';

/** Every error of this package. */
export class ClusterError extends Error {
  constructor(code: ErrorCode, message: string);
  readonly code: ErrorCode;
}

/** Addressees of a request or a message. Make them by `all`, `clusters`, `shards` or `guild`. */
export interface Targets {
  readonly kind: 'all' | 'clusters' | 'shards' | 'guild';
}

/** Addresses every cluster of the fleet, the sender included. */
export function all(): Targets;
/** Addresses clusters by their ids. */
export function clusters(...ids: number[]): Targets;
/** Addresses the clusters that serve these shards, each once. */
export function shards(...ids: number[]): Targets;
/** Addresses the cluster that serves a guild. A number is refused: it has lost digits. */
export function guild(id: string | bigint): Targets;

/** Returns the shard of a guild in a fleet of shardCount shards. */
export function shardOf(guildId: string | bigint, shardCount: number): number;

export interface JoinOptions {
  /**
   * This bot connects to Discord itself, and asks for a permit before each identify: by
   * `discordjs(cluster)` or `shard.permit()`. Default: false. Not for a bot behind a gateway host,
   * which paces the identifies; there it changes nothing.
   */
  permits?: boolean;
  /**
   * It resumes the sessions that CONTROL kept, by `discordjs(cluster)` or `shard.session`: a crash
   * then costs no identify. Needs `permits` and `intents`. Default: false.
   */
  sessions?: boolean;
  /** The gateway intents, as bits or a list of them. A session with others is not offered. */
  intents?: number | number[];
  /** The time for drain functions after a SIGTERM or an end for good. Default: 5000. */
  grace?: number;
  /** How long to wait for CONTROL's first packet. Default: 30000. */
  timeout?: number;
  /** The environment. Default: process.env. */
  env?: Record<string, string | undefined>;
  /** Gets a line of text about what goes wrong. Default: it is written to stderr. */
  log?: (text: string) => void;
  /** Ends the process after a drain (0) or a loss of CONTROL (1). Default: process.exit. */
  exit?: (code: number) => void;
}

/**
 * Makes this process a cluster: listens at DISCLUSTER_SOCKET and returns once CONTROL has assigned
 * the shards. Rejects with `STANDALONE` where CONTROL did not start the process.
 *
 * The process then answers heartbeats, keeps serving while CONTROL is away, and exits by itself
 * when CONTROL drains it, at SIGTERM, or when it was without CONTROL for too long.
 */
export function join(options?: JoinOptions): Promise<Cluster>;

export interface AskOptions {
  /** For all answers. Default: 10000; at most 300000. */
  timeout?: number;
}

/** Answers of clusters: one result or one error for each that was addressed. */
export interface Answers<T> {
  results: Array<{ cluster: number; value: T }>;
  /** Clusters that are dead, still start, were too slow, or whose handler failed. */
  errors: Array<{ cluster: number; shard?: number; error: string }>;
}

export interface RequestInfo {
  /** The name of the handler. */
  name: string;
  /** The cluster that asks. */
  from: number;
  /** Aborted when the requester stops waiting, or the cluster ends. */
  signal: AbortSignal;
}

/** Answers a request. What it throws is the error of this cluster; undefined is sent as null. */
export type Handler<D = any> = (data: D, request: RequestInfo) => unknown;

export interface MessageInfo {
  /** The cluster that sent it; 1111111111 is CONTROL. */
  from: number;
}

export interface Undelivered {
  /** As `tell` returned it. */
  id: string;
  errors: Array<{ cluster?: number; shard?: number; error: string }>;
}

export interface DrainOrder {
  /** Work may go on until then. */
  deadline: Date;
  /** The sessions end (1000), else they are kept (4000). */
  final: boolean;
  /** Why, if the cluster ends by itself. */
  error?: ClusterError;
}

export type ShardState =
  | 'idle' | 'waiting_permit' | 'connecting' | 'identifying' | 'resuming' | 'ready'
  | 'disconnected' | 'failed';

/** The state of a shard, as CONTROL has it. What is absent is unknown. */
export interface ShardStatus {
  shard_id: number;
  state: ShardState;
  close_code?: number;
  latency_ms?: number;
  guilds?: number;
  events?: number;
}

/** This process as a member of the fleet. */
export interface Cluster {
  /** The number of this cluster. */
  readonly id: number;
  /** The number of clusters in the fleet. */
  readonly count: number;
  /** The ids of this cluster's shards; they never change. */
  readonly shards: number[];
  /** The number of shards in the fleet. */
  readonly shardCount: number;
  /** How many shards of the fleet may identify in 5 s. */
  readonly maxConcurrency: number;
  /** The bot's token, of DISCORD_TOKEN or of CONTROL; empty without either. */
  readonly token: string;
  /** Another machine may serve these shards, too: resume each at most once a minute. */
  readonly lapsed: boolean;
  /** The cluster is ending. */
  readonly stopping: boolean;

  /** Returns the shard of a guild. */
  shardOf(guildId: string | bigint): number;

  /**
   * Calls a handler by its name in clusters, and waits for all of them. A cluster that cannot
   * answer costs its own answer only. Rejects where CONTROL did not answer at all: `AWAY`,
   * `BUSY`, `LIMIT`, `REFUSED`, `NO_ANSWER` (2 s after the timeout), `STOPPING`.
   */
  ask<T = any>(
    to: Targets, name: string, data?: unknown, options?: AskOptions,
  ): Promise<Answers<T>>;
  /** Answers requests of this name. Names that begin with "discluster." are reserved. */
  handle<D = any>(name: string, handler: Handler<D>): void;
  /**
   * Sends a message, one way, and returns its id once it is queued. Throws `AWAY`, `BUSY` or
   * `LIMIT` where it was not.
   */
  tell(to: Targets, message: unknown): string;
  /** Gets the messages of other clusters, in order. */
  onMessage<M = any>(listener: (message: M, info: MessageInfo) => unknown): void;
  /** Gets the messages of this cluster that did not reach every addressee; else they are logged. */
  onUndelivered(listener: (undelivered: Undelivered) => unknown): void;
  /** Asks every cluster for the state of its shards. */
  stats(options?: AskOptions): Promise<Answers<ShardStatus[]>>;

  /** Reports that every shard is READY. With `discordjs(cluster)` that happens by itself. */
  ready(): void;
  /**
   * Gets the order to end: stop taking work, and return (a promise) when what runs is done. Then,
   * or at the deadline, the shards are closed and the process exits.
   */
  onDrain(listener: (order: DrainOrder) => unknown): void;
  /**
   * Reports that this bot cannot start, and why, and exits with 1. closeCode is the gateway's, such
   * as 4004 for a token that Discord refused: after a fatal one CONTROL does not start it again.
   */
  fail(error: Error, closeCode?: number): Promise<void>;
  /** Leaves the fleet without ending the process: for tests. CONTROL then ends it. */
  close(): Promise<void>;

  /** Returns a shard of this cluster. Needs `permits`. */
  shard(id: number): Shard;
}

/** Leave to send one IDENTIFY. Call exactly one of sent and unused. */
export interface Permit {
  /** It must not be used any more: call unused, and ask again. Look right before the IDENTIFY. */
  readonly overdue: boolean;
  /** Reports that the IDENTIFY was written. Call it right after that. */
  sent(): void;
  /** Reports that it was not. */
  unused(): void;
}

/** A session that can be resumed. */
export interface Session {
  session_id: string;
  resume_gateway_url: string;
  /** That of the last event whose handler returned. */
  seq: number;
  /** When, in unix milliseconds. Default: now. */
  at?: number;
  intents?: number;
  user_id?: string;
  application_id?: string;
  guilds?: string[];
}

/** A gateway session of this cluster, for bots on other libraries than discord.js. */
export interface Shard {
  readonly id: number;
  /** The number of shards in the fleet. */
  readonly count: number;
  /** What it can resume; undefined: it must identify. */
  readonly session: Session | undefined;
  /** Waits for leave to identify. Never needed for a RESUME. Rejects when the cluster stops. */
  permit(
    cause?: 'start' | 'crash' | 'reidentify' | 'operator',
    options?: { signal?: AbortSignal },
  ): Promise<Permit>;
  /** Reports a session, or its seq. Call it at READY, and after each event that was handled. */
  setSession(session: Session): void;
  /** Reports that Discord ended or refused the session. */
  dropSession(): void;
  /** Reports the shard's state, and the close code of its connection. */
  state(state: ShardState, closeCode?: number): void;
  /** Reports the latency of the gateway, and the number of guilds and events. */
  figures(figures: { latency?: number; guilds?: number; events?: number }): void;
  /** Gets CONTROL's order to close the connection with 4000 and resume. */
  onReconnect(listener: () => unknown): void;
}

/** Options of discord.js' Client. */
export interface DiscordJsOptions {
  shards: number[];
  shardCount: number;
  ws: {
    buildIdentifyThrottler: (manager: any) => any;
    buildStrategy: (manager: any) => any;
  };
}

/**
 * Returns options for discord.js 14 without a gateway host:
 * `new Client({ intents, ...discordjs(cluster) })`. Each identify waits for its permit, the states
 * of the shards are reported, and with `sessions` the shards resume what CONTROL kept. The guilds
 * of a resumed session are fetched by REST, four requests each, before its events are passed on.
 */
export function discordjs(cluster: Cluster): DiscordJsOptions;
