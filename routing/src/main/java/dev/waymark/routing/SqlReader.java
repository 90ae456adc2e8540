package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.pgcodekeeper.core.parsers.antlr.pg.generated.SQLParser.Schema_qualified_name_nontypeContext;

/**
 * Reads one statement: a command by its leading words, the plainest SELECT by itself, and every
 * other statement on rows by the {@linkplain SqlGrammar grammar}, which is loaded when it is first
 * needed. Safe to share.
 */
final class SqlReader {
  /** The statements on rows, which are read whole. */
  private static final Set<String> ROWS =
      Set.of("select", "with", "values", "table", "insert", "update", "delete", "merge", "explain");

  /** So many leading words tell what a command is. */
  private static final int LEADING = 4;

  private volatile @Nullable SqlGrammar grammar;

  /**
   * A reader that has loaded no grammar.
   *
   * @throws NoClassDefFoundError if the grammar is not on the class path: whoever lacks it shall
   *     hear so now, and not at the first statement that needs it
   */
  SqlReader() {
    // Naming a class loads it with what it extends: a small one of the grammar and of ANTLR each.
    Objects.requireNonNull(Schema_qualified_name_nontypeContext.class);
  }

  /**
   * Reads a statement.
   *
   * @throws UnreadableSqlException if the grammar does not know it
   */
  Statement read(List<SqlToken> statement) {
    SqlToken first = statement.get(0);
    if (!first.isSign("(")
        && !(first.kind() == SqlToken.Kind.WORD && ROWS.contains(first.text()))) {
      return command(statement);
    }
    SqlTree.Query plain = PlainSelect.read(statement);
    return plain == null ? readByGrammar(statement) : plain;
  }

  /** The same for a statement on rows, without the short way for the plainest of them. */
  Statement readByGrammar(List<SqlToken> statement) {
    SqlGrammar known = grammar;
    if (known == null) {
      // Two threads may make one each, and one of them learns for nothing.
      grammar = known = new SqlGrammar();
    }
    return known.read(statement);
  }

  private static Statement command(List<SqlToken> statement) {
    List<String> words = new ArrayList<>();
    for (SqlToken token : statement) {
      if (token.kind() != SqlToken.Kind.WORD || words.size() == LEADING) {
        break;
      }
      words.add(token.text());
    }
    return new SqlTree.Command(words);
  }
}
