package dev.waymark.benchmarks;

import java.util.List;

/**
 * What the report says of one or more groups of the summary.
 *
 * @param groups that belong together: drawn in one chart
 * @param metric that is drawn, and by which contenders are judged first
 * @param judged further metrics by which they are judged
 * @param text what is measured, and how the peers are set up
 * @param behind why a peer is ahead where one is, and what is planned; shown only then
 */
record Section(
    String title,
    List<String> groups,
    String metric,
    List<String> judged,
    String text,
    String behind) {
  Section {
    groups = List.copyOf(groups);
    judged = List.copyOf(judged);
    text = text.strip();
    behind = behind.strip();
  }

  private static List<String> byThreads(String group) {
    return List.of(group, group + "-4", group + "-16");
  }

  static final List<Section> ALL =
      List.of(
          new Section(
              "Routing alone",
              List.of("routing"),
              "cpu_ns",
              List.of("bytes"),
              """
              One user by key on a driver that answers at once, three shards with two replicas each, one thread: what is more
              than raw is what the library costs. CPU time of the thread and bytes per operation.

              `raw` is one HikariCP pool for each node, the shard by a division, the replica by the key's last bit.
              `waymark-keyed` also knows which replicas are fresh enough for the caller's writes, chooses by load and latency, and
              keeps a deadline; `waymark-session` does so within a bound session that never goes back in time, `waymark-observed`
              counts and times every call in Micrometer. `waymark-datasource` is told nothing: it finds shard, key and intent in the
              statement. `spring` is told by the caller where to go (a variable of the thread) and
              behind its lazy proxy, with the connection defaults said in advance. `aws` is the wrapper without plugins and routes
              nothing; `aws-rw` is its simple read/write splitting, one pool for each shard, `setReadOnly(true)` before the read,
              new connections not verified, dialects said rather than detected, the event queue as it is by default.
              `shardingsphere` shards by a class (`CLASS_BASED`, faster than an inline expression), `shardingsphere-rw` also
              splits reads and writes, round robin; both have metadata checks and SQL logging off.
              """,
              """
              Spring and AWS' wrapper without plugins route nothing: the caller says where to go, and nobody looks whether the
              node is up or fresh. The `DataSource` finds shard, key and intent in the statement. Less is not planned: what is left
              are its own JDBC objects.
              """),
          new Section(
              "Point read",
              byThreads("point-read"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              One user by key on real servers, three shards with one replica each, from the replica, by 1, 4 and 16 threads.
              Contenders are set up as above, each with pools of at most 16 connections. `shardingsphere` without splitting
              reads from the primaries: its sharding rule knows no others.
              """,
              """
              Who routes nothing or does not look at freshness does less for a call; beside a round trip it is small, and where
              ranges overlap it cannot be told from noise.
              """),
          new Section(
              "Update",
              byThreads("update"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              One row changed by key. Every peer sends one statement in autocommit: one round trip. A write through Waymark, by key or by its `DataSource`, is a
              transaction whose COMMIT also brings the position for the session's next reads: two round trips.
              """,
              """
              A write by key opens a transaction and brings its position, without which a session could not read its own
              write from a replica. A statement through the `DataSource` in autocommit asks for the position as well. Planned: nothing that gives the
              position up; PostgreSQL does not tell it with the answer to COMMIT.
              """),
          new Section(
              "Insert",
              byThreads("insert"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              One row inserted by key; autocommit and transaction as for the update.
              """,
              """
              As for the update.
              """),
          new Section(
              "Transaction of three statements",
              byThreads("transaction"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              A user is read, changed and noted in another table, in one transaction on the primary, for every contender.
              """,
              """
              As for the update: the position of the commit is one question more.
              """),
          new Section(
              "IN over three shards",
              List.of("scatter-in", "scatter-in-4"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              Three keys, one on each of three shards, by one text, from replicas, by 1 and 4 threads. `raw` is a hand-written
              fan-out: each shard is asked for its own key by an executor's thread, the last one by the caller's. CPU time and
              bytes are of all threads here, as several work for one call. Spring and AWS' wrapper ask one shard
              at a time; an application would do by hand what `raw` does.
              """,
              """
              Merged results are pgjdbc's own result sets read row by row, each on a connection that is held until the end; the
              types of what is compared are asked for once for each text.
              """),
          new Section(
              "Newest 20 over all shards",
              List.of("scatter-newest", "scatter-newest-4"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              The newest twenty rows of all shards, merged; `raw`, threads and CPU time as above.
              """,
              ""),
          new Section(
              "Count by group over all shards",
              List.of("scatter-count", "scatter-count-4"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              `SELECT state, count(*) … GROUP BY state` over a thousand rows and five states on each shard; `raw` adds the shards'
              counts up in a hash table. Threads and CPU time as above.
              """,
              """
              Groups are put together from the servers' own values, with the types and digits that one server would give.
              """),
          new Section(
              "Hit in L1",
              List.of("l1-hit"),
              "cpu_ns",
              List.of("bytes"),
              """
              CPU time and bytes of a hit in the process. `raw` is Caffeine with a time to live; `spring` is Spring's cache over the
              same, called as its interceptor calls it (with neither proxy nor key expression); `redisson` is its local cached map,
              `jetcache` has two levels with invalidation by broadcast.
              """,
              """
              A hit also looks at the entry's stamp, at the proof that its bucket has heard of every change, and at its end; it is counted,
              and one in 64 is looked at for hot keys. That is an object and an array more than Caffeine's own, in no cache for random keys.
              Spring asks Caffeine and nothing else: its values may be old for as long as they live. Planned: the stamp's place in the entry's own
              line of memory.
              """),
          new Section(
              "Hit in L2",
              List.of("l2-hit"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              The time of one hit in Redis. `raw` is a GET of as many bytes through the same client, undecoded; `redisson-bucket`
              decodes JSON; `jetcache` uses Jedis, which blocks on the socket in the caller's thread.
              """,
              """
              The bare client's bytes are not decoded. What is left is an envelope that says until when the value is valid and of
              which epoch it is, and Jackson.
              """),
          new Section(
              "Miss",
              List.of("cache-miss"),
              "p50_us",
              List.of("cpu_ns", "bytes"),
              """
              A key that Redis does not have: asked for, loaded from rows that cost nothing, put there. `raw` is GET and SET by the
              bare client, `redisson-bucket` the same with JSON, `jetcache` its loader. Waymark asks by a script, which
              gives it a lease, and does not wait for its value to arrive: the next call may find the connection busy with it.
              """,
              """
              A miss takes a lease, so that of all processes one loads, and an old row is never put back. Peers put what they have
              read, whatever happened meanwhile.
              """),
          new Section(
              "Mixed reads and writes, end to end",
              List.of("mixed"),
              "queries_on_primaries",
              List.of("ops", "read_p50_us", "write_p50_us", "stale_of_a_million"),
              """
              90 % reads and 10 % writes of 30,000 profiles on three shards with a replica each, keys by Zipf (skew 0.99), four threads
              in two processes' worth of caches: each contender is opened twice and must hear of the other's changes. `raw` has no
              cache and reads from replicas. All caches hold 10,000 entries for 10 s in the process, those with Redis all of
              them for 5 minutes there; peers load from primaries, as what a replica that lags has told would stay, and forget a key after
              its change. `waymark` promises what they do, and no session; with `waymark-session` each thread is a client that sees its own writes and
              never goes back in time, for which a value that may be older than what it has seen of the shard is loaded anew. `caffeine` has no Redis, so it never hears of the other process. (Spring's cache over Caffeine would be the same.)

              Queries are what `pg_stat_statements` has counted on the servers while this contender alone was open, divided by its calls:
              BEGIN, COMMIT, Waymark's horizons and its monitor included. Stale is a read that shows less than was committed
              when it began. CPU time is of the whole process.
              """,
              """
              A write through Waymark is a transaction with a position, an announcement in Redis before COMMIT and another after
              it: four round trips to PostgreSQL and two to Redis beside one statement in autocommit. Who does not announce is faster, and stale: see
              the last columns. Planned: fewer round trips around the announcement.
              """),
          new Section(
              "Stampede",
              List.of("stampede"),
              "loads",
              List.of("last_of_128_ms"),
              """
              Two JVMs with 64 threads each ask for one cold key at the same moment; a load takes 100 ms. `raw` is a loading cache of Caffeine
              in each JVM. How often the row was loaded, and until when the last thread had it.
              """,
              ""),
          new Section(
              "Hit ratio",
              List.of("hit-ratio"),
              "hits_1000_skew_99",
              List.of(),
              """
              Share of hits on a Zipf trace over 100,000 keys, by size and skew. `raw` is Caffeine of the same size.
              """,
              ""),
          new Section(
              "Offload",
              List.of("offload"),
              "reads_on_replicas",
              List.of(),
              """
              Share of reads that replicas answered, with 10 % writes and about 5 ms between two calls of a client. `raw` asks for no
              consistency; `sticky-2s` reads from the primary for two seconds after each write, as many routers do.
              """,
              ""),
          new Section(
              "Invalidation and promotion",
              List.of("invalidation", "promotion"),
              "",
              List.of(),
              """
              How long after a commit another cache's reader gets the new value; how long after a promoted primary's first write
              the library's first one succeeds.
              """,
              ""),
          new Section(
              "Start-up",
              List.of("start-up"),
              "wall_ms",
              List.of("cpu_ms"),
              """
              From the first line of `main` in a new JVM to the first row from real servers: three shards with a replica each. One
              process is one sample. `cpu_ms` is of the whole process, with what the JVM itself needs.
              """,
              """
              The `DataSource` reads the catalogue (what is volatile, what is a view) and loads the classes that read statements before its first
              one. Monitors and pools of all nodes start with the database.
              """),
          new Section(
              "Weight",
              List.of("weight"),
              "mb",
              List.of("jars"),
              """
              What is on the class path for it, pool and driver included.
              """,
              """
              A parser, YAML and metrics are what they are.
              """),
          new Section(
              "Cost as work grows",
              GrowthRun.groups(),
              "cpu_ns",
              List.of(),
              """
              The keyed read on the stub driver with more shards (3 to 1,000; also `raw`, for which the processor's caches get too
              small in the same way), ranges (3 to 100,000), sessions that take turns and keys. `raw` is here the same
              contender with the least of it, so the ratio is the growth. A thousand shards with their pools, nodes and balancers, and a hundred
              thousand sessions, are more memory than the processor's caches hold: what a read costs more then is waiting for it.
              """,
              ""));

  /** A goal of the project, as a bound on one figure. */
  record Goal(
      String text, String group, String contender, String metric, Bound bound, double most) {

    /** Which of a figure's values is bounded. */
    enum Bound {
      OVER,
      RATIO,
      MEDIAN
    }

    static final List<Goal> ALL =
        List.of(
            new Goal(
                "Routing by key: at most 80 ns over raw",
                "routing",
                "waymark-keyed",
                "cpu_ns",
                Bound.OVER,
                80),
            new Goal(
                "Routing by key: at most 48 B over raw",
                "routing",
                "waymark-keyed",
                "bytes",
                Bound.OVER,
                48),
            new Goal(
                "Routing by DataSource: at most 500 ns over raw",
                "routing",
                "waymark-datasource",
                "cpu_ns",
                Bound.OVER,
                500),
            new Goal(
                "Routing by DataSource: at most 512 B over raw",
                "routing",
                "waymark-datasource",
                "bytes",
                Bound.OVER,
                512),
            new Goal(
                "Point read by key: within the null control",
                "point-read",
                "waymark-keyed",
                "p50_us",
                Bound.RATIO,
                1.1),
            new Goal(
                "Point read by DataSource: within the null control",
                "point-read",
                "waymark-datasource",
                "p50_us",
                Bound.RATIO,
                1.1),
            new Goal(
                "IN over three shards: at most 1.05 times a hand-written fan-out",
                "scatter-in",
                "waymark-datasource",
                "p50_us",
                Bound.RATIO,
                1.05),
            new Goal(
                "Newest 20: at most 1.05 times a hand-written fan-out",
                "scatter-newest",
                "waymark-datasource",
                "p50_us",
                Bound.RATIO,
                1.05),
            new Goal(
                "Count by group: at most 1.05 times a hand-written fan-out",
                "scatter-count",
                "waymark-datasource",
                "p50_us",
                Bound.RATIO,
                1.05),
            new Goal(
                "L1: at most 20 ns over Caffeine with a time to live",
                "l1-hit",
                "waymark",
                "cpu_ns",
                Bound.OVER,
                20),
            new Goal(
                "L2: at most 1.05 times the bare client",
                "l2-hit",
                "waymark",
                "p50_us",
                Bound.RATIO,
                1.05),
            new Goal(
                "Stampede over two JVMs: one load",
                "stampede",
                "waymark",
                "loads",
                Bound.MEDIAN,
                1),
            new Goal(
                "Start-up: at most 50 ms over raw",
                "start-up",
                "waymark-keyed",
                "wall_ms",
                Bound.OVER,
                50),
            new Goal(
                "1,000 shards: at most 1.2 times 3",
                "growth-shards",
                "shards-1000",
                "cpu_ns",
                Bound.RATIO,
                1.2),
            new Goal(
                "100,000 ranges: at most 1.2 times 3",
                "growth-ranges",
                "ranges-100000",
                "cpu_ns",
                Bound.RATIO,
                1.2));
  }
}
