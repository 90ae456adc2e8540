package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Assignment;
import dev.waymark.routing.SqlTree.Block;
import dev.waymark.routing.SqlTree.Body;
import dev.waymark.routing.SqlTree.Cte;
import dev.waymark.routing.SqlTree.Expression;
import dev.waymark.routing.SqlTree.Query;
import dev.waymark.routing.SqlTree.Source;
import dev.waymark.routing.SqlTree.Statement;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Shows every part of a statement to somebody, those inside of queries included. Stateless. */
final class SqlWalk {
  private final Consumer<Object> visitor;

  private SqlWalk(Consumer<Object> visitor) {
    this.visitor = visitor;
  }

  /** Shows each {@link Statement}, {@link Body}, {@link Source} and {@link Expression}. */
  static void over(Statement statement, Consumer<Object> visitor) {
    new SqlWalk(visitor).statement(statement);
  }

  /** The same for one expression and what is inside of it. */
  static void over(Expression expression, Consumer<Object> visitor) {
    new SqlWalk(visitor).expression(expression);
  }

  private void statement(Statement statement) {
    visitor.accept(statement);
    if (statement instanceof Query query) {
      ctes(query.ctes());
      body(query.body());
      query.order().forEach(sort -> expression(sort.value()));
      optional(query.limit());
      optional(query.offset());
    } else if (statement instanceof SqlTree.Insert insert) {
      ctes(insert.ctes());
      visitor.accept(insert.target());
      if (insert.rows() != null) {
        statement(insert.rows());
      }
      assignments(insert.onConflict());
      expressions(insert.more());
    } else if (statement instanceof SqlTree.Update update) {
      ctes(update.ctes());
      visitor.accept(update.target());
      assignments(update.set());
      update.from().forEach(this::source);
      optional(update.where());
      expressions(update.more());
    } else if (statement instanceof SqlTree.Delete delete) {
      ctes(delete.ctes());
      visitor.accept(delete.target());
      delete.from().forEach(this::source);
      optional(delete.where());
      expressions(delete.more());
    } else if (statement instanceof SqlTree.Merge merge) {
      ctes(merge.ctes());
      visitor.accept(merge.target());
      merge.from().forEach(this::source);
      expressions(merge.more());
    } else if (statement instanceof SqlTree.Explain explain && explain.explained() != null) {
      statement(explain.explained());
    }
  }

  private void ctes(List<Cte> ctes) {
    ctes.forEach(cte -> statement(cte.statement()));
  }

  private void assignments(List<Assignment> assignments) {
    assignments.forEach(each -> optional(each.value()));
  }

  private void body(Body body) {
    visitor.accept(body);
    if (body instanceof Block block) {
      block.items().forEach(item -> expression(item.value()));
      block.from().forEach(this::source);
      optional(block.where());
      expressions(block.groups());
      optional(block.having());
      expressions(block.windows());
    } else if (body instanceof SqlTree.Rows rows) {
      rows.rows().forEach(this::expressions);
    } else if (body instanceof SqlTree.Combined combined) {
      body(combined.left());
      body(combined.right());
    } else if (body instanceof SqlTree.Nested nested) {
      statement(nested.query());
    }
  }

  private void source(Source source) {
    visitor.accept(source);
    if (source instanceof SqlTree.Derived derived) {
      statement(derived.query());
    } else if (source instanceof SqlTree.Called called) {
      expressions(called.calls());
    } else if (source instanceof SqlTree.Renamed renamed) {
      source(renamed.source());
    } else if (source instanceof SqlTree.Join join) {
      source(join.left());
      source(join.right());
      optional(join.on());
    }
  }

  private void expressions(List<Expression> expressions) {
    expressions.forEach(this::expression);
  }

  private void optional(@Nullable Expression expression) {
    if (expression != null) {
      expression(expression);
    }
  }

  private void expression(Expression expression) {
    visitor.accept(expression);
    expressions(expression.parts());
    if (expression instanceof SqlTree.Sub sub) {
      statement(sub.query());
    }
  }
}
