package dev.waymark.routing;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a database holds, as far as it decides whether a statement only reads: relations, functions,
 * operators, types. An immutable value, safe to share; whoever changes the schema gets a new one
 * with a greater version.
 */
final class SqlCatalogue {
  /**
   * A table, view or the like.
   *
   * @param columns in their order, dropped ones left out
   * @param behind what runs when it is read: a view's query, the conditions of row security
   */
  record RelationRow(
      String schema, String name, RelationKind kind, List<String> columns, List<String> behind) {
    RelationRow {
      columns = List.copyOf(columns);
      behind = List.copyOf(behind);
      Objects.requireNonNull(kind, "kind");
    }

    /**
     * Whether it has the same columns and does the same. Not a record's own equals: the runtime
     * puts that together from a hundred classes when it is first called, in a process that starts.
     */
    boolean isLike(RelationRow other) {
      return kind == other.kind && columns.equals(other.columns) && behind.equals(other.behind);
    }
  }

  /** What a relation is. */
  enum RelationKind {
    /** Rows on disk: a table, partitioned or not, a materialised view, a sequence. */
    STORED,
    /** Rows that are not written to the log: a replica refuses to read them. */
    UNLOGGED,
    /** A query with a name. */
    VIEW,
    /** Of another server, by a wrapper that may do anything. */
    FOREIGN,
    /** Of one session, invisible to every other. */
    TEMPORARY
  }

  /**
   * A function.
   *
   * @param body the statements of a volatile function written in SQL, null of any other
   */
  record FunctionRow(
      String schema,
      String name,
      Volatility volatility,
      Arity arity,
      Use use,
      Sight sight,
      @Nullable String body) {
    FunctionRow {
      Objects.requireNonNull(volatility, "volatility");
      Objects.requireNonNull(arity, "arity");
      Objects.requireNonNull(use, "use");
      Objects.requireNonNull(sight, "sight");
    }
  }

  /** What a function is applied to. */
  enum Use {
    /** To the values of one row, or to nothing. */
    ROW,
    /** To many rows: an aggregate, or a window function. */
    ROWS
  }

  /** What a function can see beside its arguments. */
  enum Sight {
    ARGUMENTS,
    /** Tables, perhaps: it is written by a user, and not promised to be immutable. */
    TABLES
  }

  /** What a function's owner promises. */
  enum Volatility {
    /** It changes nothing: immutable or stable. */
    QUIET,
    /** It may do anything. */
    VOLATILE
  }

  /** How a function may be called. */
  enum Arity {
    /** By one argument, so that {@code x.f} calls it as well. */
    ONE,
    /** By none, or by several. */
    OTHER
  }

  /**
   * What was read of what users made, or of everything.
   *
   * @param searchPath the schemas that a name without one is looked for in, the first one first
   * @param operators the names of operators
   * @param volatileOperators those of which at least one calls a volatile function, whoever made it
   * @param volatileTypes the names of types that are read, written or cast by a volatile function
   * @param domainChecks what a cast to a domain runs, as queries, by the domain's name
   * @param alarms why nothing can be proved at all in this database; empty almost always
   */
  record Rows(
      List<String> searchPath,
      List<RelationRow> relations,
      List<FunctionRow> functions,
      Set<String> operators,
      Set<String> volatileOperators,
      Set<String> volatileTypes,
      Map<String, List<String>> domainChecks,
      List<String> alarms) {
    /** Copies. */
    Rows {
      searchPath = List.copyOf(searchPath);
      relations = List.copyOf(relations);
      functions = List.copyOf(functions);
      operators = Set.copyOf(operators);
      volatileOperators = Set.copyOf(volatileOperators);
      volatileTypes = Set.copyOf(volatileTypes);
      domainChecks = Map.copyOf(domainChecks);
      alarms = List.copyOf(alarms);
    }
  }

  private final long version;
  private final Rows rows;

  /** By name, then by schema. */
  private final Map<String, Map<String, RelationRow>> relations;

  private final Map<String, List<FunctionRow>> functions;
  private final Set<String> volatileFieldNames;
  private final BuiltIns builtIns;

  private SqlCatalogue(long version, Rows rows, BuiltIns builtIns) {
    this.version = version;
    this.rows = rows;
    this.relations = new HashMap<>();
    this.functions = new HashMap<>();
    this.volatileFieldNames = volatileFieldNames(rows.functions());
    this.builtIns = builtIns;
    for (RelationRow row : rows.relations()) {
      relations.computeIfAbsent(row.name(), name -> new HashMap<>()).put(row.schema(), row);
    }
    for (FunctionRow row : rows.functions()) {
      functions.computeIfAbsent(row.name(), name -> new ArrayList<>()).add(row);
    }
  }

  /** The same relations and functions, so that the tables of names need not be made again. */
  private SqlCatalogue(SqlCatalogue like, Rows rows, BuiltIns builtIns) {
    this.version = like.version;
    this.rows = rows;
    this.relations = like.relations;
    this.functions = like.functions;
    this.volatileFieldNames = like.volatileFieldNames;
    this.builtIns = builtIns;
  }

  /** The names of those that {@code x.name} may call. */
  static Set<String> volatileFieldNames(List<FunctionRow> functions) {
    Set<String> names = new HashSet<>();
    for (FunctionRow row : functions) {
      if (row.volatility() == Volatility.VOLATILE && row.arity() == Arity.ONE) {
        names.add(row.name());
      }
    }
    return names;
  }

  /** A catalogue of what was read. */
  static SqlCatalogue of(long version, Rows rows) {
    return of(version, rows, BuiltIns.none());
  }

  /**
   * A catalogue of what users made, on top of what the server brings along. If that is unread,
   * questions that it may have an answer to throw {@link BuiltIns.UnreadException}.
   */
  static SqlCatalogue of(long version, Rows rows, BuiltIns builtIns) {
    return new SqlCatalogue(version, rows, builtIns);
  }

  /** Nothing is known: no statement that names or calls anything is proved to read. */
  static SqlCatalogue unknown() {
    return of(
        0,
        new Rows(
            List.of(), List.of(), List.of(), Set.of(), Set.of(), Set.of(), Map.of(), List.of()));
  }

  /** The same with what its server brings along, of which it gives the same answers as before. */
  SqlCatalogue with(BuiltIns read) {
    if (!read.majorVersion().equals(builtIns.majorVersion())) {
      throw new IllegalArgumentException(
          "PostgreSQL "
              + builtIns.majorVersion()
              + " does not bring along what "
              + read.majorVersion()
              + " does");
    }
    return new SqlCatalogue(this, rows, read);
  }

  /** What the server brings along. */
  BuiltIns builtIns() {
    return builtIns;
  }

  /** Grows with each change. */
  long version() {
    return version;
  }

  /** The same for a session that looks for names elsewhere. */
  SqlCatalogue withSearchPath(List<String> searchPath) {
    return new SqlCatalogue(
        this,
        new Rows(
            searchPath,
            rows.relations(),
            rows.functions(),
            rows.operators(),
            rows.volatileOperators(),
            rows.volatileTypes(),
            rows.domainChecks(),
            rows.alarms()),
        builtIns);
  }

  /** The relation that a name means, null if there is none or it is not certain. */
  @Nullable RelationRow relation(List<String> name) {
    String last = name.get(name.size() - 1);
    if (name.size() == 2) {
      return relation(name.get(0), last);
    } else if (name.size() > 2) {
      return null;
    }
    for (String schema : rows.searchPath()) {
      RelationRow row = relation(schema, last);
      if (row != null) {
        return row;
      }
    }
    return null;
  }

  private @Nullable RelationRow relation(String schema, String name) {
    RelationRow made = relations.getOrDefault(name, Map.of()).get(schema);
    return made != null ? made : builtIns.relation(schema, name);
  }

  /** Every function that a call of the name may mean, whatever its arguments. */
  List<FunctionRow> functions(List<String> name) {
    String last = name.get(name.size() - 1);
    return Stream.concat(
            builtIns.functions(last).stream(), functions.getOrDefault(last, List.of()).stream())
        .filter(
            row ->
                name.size() == 2
                    ? row.schema().equals(name.get(0))
                    : name.size() == 1 && rows.searchPath().contains(row.schema()))
        .toList();
  }

  private boolean isUnknown() {
    return version == 0;
  }

  /** Whether {@code x.name} may call a volatile function. */
  boolean isVolatileField(String name) {
    return isUnknown() || volatileFieldNames.contains(name) || builtIns.isVolatileField(name);
  }

  /** Whether every operator of the name is there and calls only quiet functions. */
  boolean isQuietOperator(String name) {
    return !rows.volatileOperators().contains(name)
        && (rows.operators().contains(name) || builtIns.hasOperator(name));
  }

  /** Operators that call volatile functions; empty almost always. */
  Set<String> volatileOperators() {
    return rows.volatileOperators();
  }

  /** Whether a cast to the type may call a volatile function. */
  boolean isVolatileType(String name) {
    return rows.volatileTypes().contains(name);
  }

  /** What a cast to the type of this name runs, as queries. */
  List<String> domainChecks(String name) {
    return rows.domainChecks().getOrDefault(name, List.of());
  }

  /** The columns of a relation in their order, null if it is not known. */
  @Nullable List<String> columns(List<String> relation) {
    RelationRow row = relation(relation);
    return row == null ? null : row.columns();
  }

  /**
   * Whether another server's holds the same, so that what is proved for one is proved for both.
   * Temporary tables and search paths are the sessions' own affair.
   */
  boolean isLike(SqlCatalogue other) {
    List<RelationRow> own = comparable();
    return own.size() == other.comparable().size()
        && own.stream().allMatch(other::holds)
        && areLike(functions, other.functions)
        && rows.operators().equals(other.rows.operators())
        && rows.volatileOperators().equals(other.rows.volatileOperators())
        && rows.volatileTypes().equals(other.rows.volatileTypes())
        && rows.domainChecks().equals(other.rows.domainChecks())
        && rows.alarms().equals(other.rows.alarms())
        && builtIns.areLike(other.builtIns);
  }

  /** Whether two catalogues' functions by name are the same, in whichever order they were read. */
  static boolean areLike(
      Map<String, List<FunctionRow>> functions, Map<String, List<FunctionRow>> other) {
    return functions.keySet().equals(other.keySet())
        && functions.entrySet().stream()
            .allMatch(
                each ->
                    Set.copyOf(each.getValue())
                        .equals(Set.copyOf(other.getOrDefault(each.getKey(), List.of()))));
  }

  private List<RelationRow> comparable() {
    // What a large value is stored in is named by a number that differs from server to server, and
    // what deals keys by the ranges that a shard owns.
    return rows.relations().stream()
        .filter(
            row ->
                row.kind() != RelationKind.TEMPORARY
                    && !row.schema().equals("pg_toast")
                    && !row.name().startsWith(ShardSchema.SEQUENCES))
        .toList();
  }

  private boolean holds(RelationRow row) {
    RelationRow found = relations.getOrDefault(row.name(), Map.of()).get(row.schema());
    return found != null && found.isLike(row);
  }

  /** The same, with a reason why nothing can be proved. */
  SqlCatalogue withAlarm(String alarm) {
    List<String> alarms = new ArrayList<>(rows.alarms());
    alarms.add(alarm);
    return new SqlCatalogue(
        this,
        new Rows(
            rows.searchPath(),
            rows.relations(),
            rows.functions(),
            rows.operators(),
            rows.volatileOperators(),
            rows.volatileTypes(),
            rows.domainChecks(),
            alarms),
        builtIns);
  }

  /** Why nothing can be proved at all; empty almost always. */
  List<String> alarms() {
    return rows.alarms();
  }
}
