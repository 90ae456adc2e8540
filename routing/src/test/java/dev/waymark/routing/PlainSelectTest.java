package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.SqlScanner.Markers;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.pgcodekeeper.core.parsers.antlr.pg.generated.SQLParser;

class PlainSelectTest {
  private static final SqlReader READER = SmallCatalogue.READER;

  @Test
  void keyedReadIsReadAsTheGrammarReadsIt() {
    for (String sql :
        List.of(
            "SELECT id, name FROM users WHERE id = ?",
            "select Id from Users where ID=?",
            "SELECT größe FROM maße /* a hint */ WHERE schlüssel = ?")) {
      List<SqlToken> tokens = tokens(sql);
      assertThat(PlainSelect.read(tokens)).isNotNull().isEqualTo(READER.readByGrammar(tokens));
    }
  }

  /** Whatever word stands in whatever place, it is the grammar's meaning or none. */
  @Test
  void noWordIsReadOtherwiseThanByTheGrammar() {
    List<String> read = new ArrayList<>();
    for (int type = 1; type <= SQLParser.VOCABULARY.getMaxTokenType(); type++) {
      String literal = SQLParser.VOCABULARY.getLiteralName(type);
      if (literal == null || !literal.matches("'[A-Za-z_]+'")) {
        continue;
      }
      String word = literal.substring(1, literal.length() - 1).toLowerCase(Locale.ROOT);
      for (String form :
          List.of(
              "SELECT %s FROM users WHERE id = ?",
              "SELECT id, %s FROM users WHERE id = ?",
              "SELECT %s, id FROM users WHERE id = ?",
              "SELECT id FROM %s WHERE id = ?",
              "SELECT id FROM users WHERE %s = ?")) {
        String sql = form.formatted(word);
        List<SqlToken> tokens = tokens(sql);
        SqlTree.Query plain = PlainSelect.read(tokens);
        if (plain != null) {
          assertThat(READER.readByGrammar(tokens)).as(sql).isEqualTo(plain);
          read.add(sql);
        }
      }
    }
    assertThat(read).hasSizeGreaterThan(500);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT",
        "SELECT id",
        "SELECT id FROM users",
        "SELECT id FROM users WHERE id",
        "SELECT id FROM users WHERE id =",
        "SELECT id FROM users WHERE id = 7",
        "SELECT id FROM users WHERE id = ? FOR UPDATE",
        "SELECT id FROM users WHERE id = ? OR id = ?",
        "SELECT id FROM users WHERE id = ? + 1",
        "SELECT id FROM users WHERE id > ?",
        "SELECT id FROM users u WHERE id = ?",
        "SELECT id x FROM users WHERE id = ?",
        "SELECT * FROM users WHERE id = ?",
        "SELECT nextval(id) FROM users WHERE id = ?",
        "SELECT current_user FROM users WHERE id = ?",
        "SELECT DISTINCT id FROM users WHERE id = ?",
        "SELECT id INTO x FROM users WHERE id = ?",
        "SELECT id FROM ONLY users WHERE id = ?",
        "SELECT id FROM public.users WHERE id = ?",
        "SELECT \"id\" FROM users WHERE id = ?",
        "SELECT FROM users WHERE id = ?",
        "UPDATE users SET name = ? WHERE id = ?"
      })
  void everythingElseIsLeftToTheGrammar(String sql) {
    assertThat(PlainSelect.read(tokens(sql))).isNull();
  }

  private static List<SqlToken> tokens(String sql) {
    return SqlScanner.scan(sql, Markers.JDBC, SqlScanner.Backslash.LITERAL).statements().get(0);
  }
}
