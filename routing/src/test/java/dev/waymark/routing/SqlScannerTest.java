package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.routing.SqlScanner.Backslash;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.SQLException;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.From;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.postgresql.core.Parser;

class SqlScannerTest {
  private static List<String> texts(String sql) {
    return SqlScanner.scan(sql, Markers.JDBC, Backslash.LITERAL).tokens().stream()
        .map(SqlToken::text)
        .toList();
  }

  private static List<String> comments(String sql) {
    return SqlScanner.scan(sql, Markers.JDBC, Backslash.LITERAL).comments();
  }

  @Test
  void wordsAreInLowerCaseAndQuotedNamesAreNot() {
    assertThat(texts("SELECT Id, \"Id\", \"a\"\"b\""))
        .containsExactly("select", "id", ",", "Id", ",", "a\"b");
  }

  @Test
  void commentsNest() {
    assertThat(texts("SELECT /* one /* two */ DELETE */ 1")).containsExactly("select", "1");
    assertThat(comments("SELECT /* one /* two */ three */ 1 -- end\n"))
        .containsExactly("one /* two */ three", "end");
  }

  @Test
  void aStatementBehindACommentIsSeen() {
    assertThat(
            SqlScanner.scan("SELECT 1 /* ; */; DELETE FROM users", Markers.JDBC, Backslash.LITERAL)
                .statements())
        .hasSize(2);
    assertThat(texts("SELECT 1 --; DELETE\n; UPDATE"))
        .containsExactly("select", "1", ";", "update");
  }

  private static List<List<SqlToken>> statements(String sql) {
    return SqlScanner.scan(sql, Markers.JDBC, Backslash.LITERAL).statements();
  }

  @Test
  void aRoutineWithABodyOfStatementsIsOneStatement() {
    for (String sql :
        List.of(
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END ;",
            "CREATE OR REPLACE FUNCTION f() RETURNS int begin atomic SELECT 1; END;",
            "CREATE PROCEDURE p(a int) BEGIN ATOMIC INSERT INTO t VALUES (1); DELETE FROM t; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC"
                + " SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END FROM t; SELECT 3; END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (CASE WHEN a THEN 1 END); END",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END",
            "CREATE FUNCTION f(\"begin\" int, \"end\" int) RETURNS int RETURN 1")) {
      assertThat(statements(sql)).as(sql).hasSize(1);
    }
  }

  @Test
  void aRuleOfSeveralStatementsIsOneStatement() {
    assertThat(
            statements("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT f(2); DELETE FROM u)"))
        .hasSize(1);
    assertThat(statements("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3"))
        .hasSize(2);
  }

  @Test
  void whatComesBehindABodyIsAnotherStatement() {
    assertThat(statements("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END; DROP TABLE t"))
        .hasSize(2);
    assertThat(statements("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 end; SELECT 2; END"))
        .hasSizeGreaterThan(1);
    assertThat(statements("CREATE FUNCTION begin() RETURNS int RETURN 1; DROP TABLE t")).hasSize(2);
    assertThat(statements("CREATE TABLE atomic (begin int); DROP TABLE t")).hasSize(2);
    assertThat(statements("SELECT 1 AS begin; SELECT 2")).hasSize(2);
    assertThat(statements("SELECT (1; DELETE FROM t)")).hasSize(2);
    assertThat(statements("DO begin atomic; SELECT 2; end")).hasSize(3);
  }

  @Test
  void whereABodyEndsIsNotGuessed() {
    for (String sql :
        List.of(
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 AS case; END; DROP TABLE t; SELECT 1 end",
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT 2",
            "CREATE FUNCTION f) BEGIN ATOMIC SELECT 1; SELECT 2; END",
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2")) {
      assertThatThrownBy(() -> statements(sql)).as(sql).isInstanceOf(UnreadableSqlException.class);
    }
    assertThat(statements("CREATE TABLE t (a int")).hasSize(1);
  }

  /** What is one statement here is sent as one, and what is sent as one is not two here unseen. */
  @Test
  void pgjdbcCutsNothingThatIsOneStatementHere() throws SQLException {
    for (String sql :
        List.of(
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
            "CREATE FUNCTION f() RETURNS int BEGIN /* a */ ATOMIC -- b\n"
                + " SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "CREATE OR REPLACE PROCEDURE p() begin atomic DELETE FROM t; DELETE FROM u; end;",
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT f(2); DELETE FROM u)")) {
      assertThat(statements(sql)).as(sql).hasSize(1);
      assertThat(Parser.parseJdbcSql(sql, true, true, true, false, true)).as(sql).hasSize(1);
    }
  }

  @Property
  void whatPgjdbcCutsIsNeverOneStatementHere(
      @ForAll @Size(max = 16) List<@From("pieces") String> pieces) throws SQLException {
    String sql = "CREATE " + String.join(" ", pieces);
    int own;
    try {
      own = statements(sql).size();
    } catch (UnreadableSqlException refused) {
      return;
    }
    if (own == 1) {
      // It takes a comment behind the last semicolon for a statement.
      assertThat(Parser.parseJdbcSql(sql, true, true, true, false, true))
          .as(sql)
          .filteredOn(sent -> !statements(sent.nativeSql).isEmpty())
          .hasSizeLessThanOrEqualTo(1);
    }
  }

  @Provide
  Arbitrary<String> pieces() {
    return Arbitraries.of(
        "OR REPLACE",
        "FUNCTION",
        "PROCEDURE f()",
        "RULE",
        "BEGIN",
        "ATOMIC",
        "CASE",
        "END",
        "(",
        ")",
        ";",
        "SELECT 1",
        "'a;'",
        "\"b;\"",
        "$$;$$",
        "-- ;\n",
        "/* ; */",
        "CREATE");
  }

  @Test
  void aStringGoesOnOnTheNextLine() {
    assertThat(texts("SELECT 'one' \n  ' two'\n' three'"))
        .containsExactly("select", "one two three");
    assertThat(texts("SELECT 'one' 'two'")).hasSize(3);
    assertThat(texts("SELECT 'one' -- what\n 'two'")).hasSize(3);
    // pgjdbc would end the second string at its backslash.
    assertThat(statements("SELECT E'one'\n'two\\'; DELETE FROM t; --'")).hasSize(2);
  }

  @Test
  void aCommentEndsAnOperator() {
    assertThat(texts("1 +-- two\n 2")).containsExactly("1", "+", "2");
    assertThat(texts("1 +/* two */ 2")).containsExactly("1", "+", "2");
  }

  @Test
  void signsBehindAnOperatorAreOfTheNumber() {
    assertThat(texts("id=-1")).containsExactly("id", "=", "-", "1");
    assertThat(texts("a @- b")).containsExactly("a", "@-", "b");
  }

  @Test
  void anArrowIsNoOperatorWhateverComesBehindIt() {
    for (String behind : new String[] {" 1", "1", "-1", "+1", "/**/1", "--\n1", "?"}) {
      assertThat(
              SqlScanner.scan("f(a =>" + behind + ")", Markers.JDBC, Backslash.LITERAL)
                  .tokens()
                  .get(3))
          .as(behind)
          .matches(token -> token.isSign("=>"));
    }
    assertThat(texts("a =>> b")).containsExactly("a", "=>>", "b");
  }

  @Test
  void dollarQuotesHideEverything() {
    assertThat(texts("SELECT $a$ it's $$ -- ? $a$, ?"))
        .containsExactly("select", " it's $$ -- ? ", ",", "1");
    assertThat(texts("SELECT a$b$c")).containsExactly("select", "a$b$c");
  }

  @Test
  void aBackslashEscapesOnlyInEscapeStrings() {
    assertThat(texts("SELECT E'it\\'s', 1")).containsExactly("select", "it\\'s", ",", "1");
    assertThat(texts("SELECT 'a\\', 1")).containsExactly("select", "a\\", ",", "1");
    assertThat(SqlScanner.scan("SELECT 'a\\', 1'", Markers.JDBC, Backslash.ESCAPE).tokens())
        .hasSize(2);
  }

  @Test
  void questionMarksAreParametersOutsideOfStrings() {
    assertThat(texts("a = ? AND b ?? 'x' AND c = '?' AND \"d?\" = ?"))
        .containsExactly(
            "a", "=", "1", "and", "b", "?", "x", "and", "c", "=", "?", "and", "d?", "=", "2");
    assertThat(texts("a @?? b")).containsExactly("a", "@?", "b");
    assertThat(SqlScanner.scan("a ? 'x'", Markers.NONE, Backslash.LITERAL).tokens().get(1).kind())
        .isEqualTo(SqlToken.Kind.OPERATOR);
  }

  @Test
  void onlyPlainDigitsAreAnInteger() {
    assertThat(
            SqlScanner.scan("1 1_000 0x1F 1.5 1e3 .5", Markers.JDBC, Backslash.LITERAL)
                .tokens()
                .stream()
                .map(SqlToken::kind))
        .containsExactly(
            SqlToken.Kind.INTEGER,
            SqlToken.Kind.NUMBER,
            SqlToken.Kind.NUMBER,
            SqlToken.Kind.NUMBER,
            SqlToken.Kind.NUMBER,
            SqlToken.Kind.NUMBER);
  }

  @Test
  void whatIsNotCertainIsRefused() {
    for (String sql :
        List.of(
            "SELECT 'a",
            "SELECT \"a",
            "SELECT /* a",
            "SELECT $a$ b",
            "SELECT 1a",
            "SELECT \"\"",
            "SELECT U&\"d\\0061ta\"",
            "SELECT {fn now()}",
            "SELECT a\0b",
            "SELECT $1",
            "SELECT " + "x".repeat(64))) {
      assertThatThrownBy(() -> texts(sql)).as(sql).isInstanceOf(UnreadableSqlException.class);
    }
  }

  @Property
  void everyTextIsCutWholeOrRefused(
      @ForAll
          @Chars({'\'', '"', '$', '/', '*', '-', '\n', ';', '?', '\\', 'e', 'U', '&', '.', ' '})
          @CharRange(from = 'a', to = 'c')
          String sql) {
    List<SqlToken> tokens;
    try {
      tokens = SqlScanner.scan(sql, Markers.JDBC, Backslash.LITERAL).tokens();
    } catch (UnreadableSqlException refused) {
      return;
    }
    int at = 0;
    for (SqlToken token : tokens) {
      assertThat(token.start()).isGreaterThanOrEqualTo(at);
      assertThat(token.end()).isGreaterThan(token.start());
      at = token.end();
    }
    assertThat(at).isLessThanOrEqualTo(sql.length());
  }
}
