package dev.waymark.benchmarks;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Paint;
import java.awt.Rectangle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.axis.CategoryAxis;
import org.jfree.chart.axis.LogAxis;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.NumberTickUnit;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.labels.ItemLabelAnchor;
import org.jfree.chart.labels.ItemLabelPosition;
import org.jfree.chart.plot.CategoryPlot;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.PlotOrientation;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.category.BarRenderer;
import org.jfree.chart.renderer.category.StandardBarPainter;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.category.DefaultCategoryDataset;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;
import org.jfree.svg.SVGGraphics2D;

/** Draws the report's charts as SVG. */
final class Charts {
  private static final int WIDTH = 860;
  private static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
  private static final Color OURS = new Color(0x1F6FB2);
  private static final Color RAW = new Color(0x555555);
  private static final Color CONTROL = new Color(0xAAAAAA);
  private static final Color PEER = new Color(0xD98C3F);
  private static final List<Color> SERIES =
      List.of(OURS, PEER, RAW, new Color(0x5B9E5B), new Color(0x9467BD), new Color(0xC44E52));

  /** Above this a bar of the least would not be seen on an even axis. */
  private static final double EVEN_AXIS_UP_TO = 20;

  private Charts() {}

  /** One bar for each contender and, if there are several groups, for each of those. */
  static void bars(Path file, String title, String metric, List<Figure> figures)
      throws IOException {
    DefaultCategoryDataset bars = new DefaultCategoryDataset();
    double least = Double.POSITIVE_INFINITY;
    double most = 0;
    String unit = "";
    for (Figure figure : figures) {
      Double median = figure.median();
      if (figure.metric().equals(metric) && median != null && median > 0) {
        bars.addValue(median, figure.group(), figure.contender());
        least = Math.min(least, median);
        most = Math.max(most, median);
        unit = figure.unit();
      }
    }
    if (bars.getColumnCount() == 0) {
      return;
    }
    boolean isOneGroup = bars.getRowCount() == 1;
    BarRenderer renderer = isOneGroup ? new ByContender(bars) : new BarRenderer();
    renderer.setBarPainter(new StandardBarPainter());
    renderer.setShadowVisible(false);
    renderer.setItemMargin(0.05);
    renderer.setDefaultItemLabelFont(FONT);
    renderer.setDefaultItemLabelsVisible(true);
    renderer.setDefaultItemLabelGenerator(
        new org.jfree.chart.labels.StandardCategoryItemLabelGenerator("{2}", shortNumbers()));
    renderer.setDefaultPositiveItemLabelPosition(
        new ItemLabelPosition(ItemLabelAnchor.OUTSIDE3, TextAnchor.CENTER_LEFT));
    for (int i = 0; i < bars.getRowCount(); i++) {
      renderer.setSeriesPaint(i, SERIES.get(i % SERIES.size()));
    }
    CategoryPlot plot =
        new CategoryPlot(bars, new CategoryAxis(), axis(unit, least, most, most * 1.15), renderer);
    plot.setOrientation(PlotOrientation.HORIZONTAL);
    plot.setBackgroundPaint(Color.WHITE);
    plot.setRangeGridlinePaint(new Color(0xDDDDDD));
    plot.setOutlineVisible(false);
    plot.getDomainAxis().setTickLabelFont(FONT);
    plot.getDomainAxis().setCategoryMargin(0.25);
    JFreeChart chart = new JFreeChart(title, FONT.deriveFont(Font.BOLD, 14f), plot, !isOneGroup);
    int height = 90 + bars.getColumnCount() * (isOneGroup ? 28 : 14 * bars.getRowCount() + 14);
    write(file, chart, height);
  }

  private static java.text.NumberFormat shortNumbers() {
    java.text.NumberFormat format = java.text.NumberFormat.getInstance(Locale.ROOT);
    format.setMaximumFractionDigits(2);
    return format;
  }

  private static ValueAxis axis(String unit, double least, double most, double upTo) {
    boolean isEven = most / least <= EVEN_AXIS_UP_TO;
    ValueAxis axis;
    if (isEven) {
      NumberAxis even = new NumberAxis(unit);
      even.setRange(0, upTo);
      axis = even;
    } else {
      axis = logarithmic(unit + ", logarithmic", least / 2, upTo * 2);
    }
    axis.setTickLabelFont(FONT);
    axis.setLabelFont(FONT);
    return axis;
  }

  private static LogAxis logarithmic(String label, double from, double to) {
    LogAxis axis = new LogAxis(label);
    axis.setRange(from, to);
    axis.setTickUnit(new NumberTickUnit(1));
    axis.setNumberFormatOverride(shortNumbers());
    axis.setMinorTickMarksVisible(false);
    axis.setTickLabelFont(FONT);
    axis.setLabelFont(FONT);
    return axis;
  }

  /** A fault's time line: p99 of the calls under way, and the calls that failed. */
  static void timeline(Path file, String title, Map<String, FaultRun.Line> lines)
      throws IOException {
    XYSeriesCollection times = new XYSeriesCollection();
    XYSeriesCollection failures = new XYSeriesCollection();
    List<Double> mended = new ArrayList<>();
    double least = Double.POSITIVE_INFINITY;
    double most = 0;
    for (Map.Entry<String, FaultRun.Line> each : lines.entrySet()) {
      XYSeries time = new XYSeries(each.getKey());
      XYSeries failed = new XYSeries(each.getKey());
      for (FaultRun.Tick tick : each.getValue().ticks()) {
        // What lies further back only shows how a JVM warms up.
        if (tick.millis() >= -2_000) {
          double at = tick.millis() / 1e3;
          if (tick.p99Millis() > 0) {
            time.add(at, tick.p99Millis());
            least = Math.min(least, tick.p99Millis());
            most = Math.max(most, tick.p99Millis());
          }
          failed.add(at, tick.failed());
        }
      }
      times.addSeries(time);
      failures.addSeries(failed);
      mended.add(each.getValue().mendedAtMillis() / 1e3);
    }
    if (most == 0) {
      return;
    }
    XYPlot above =
        new XYPlot(
            times,
            null,
            logarithmic("p99 of 100 ms, in ms", least / 2, most * 2),
            new XYLineAndShapeRenderer(true, false));
    NumberAxis count = new NumberAxis("failed in 100 ms");
    count.setTickLabelFont(FONT);
    count.setLabelFont(FONT);
    XYPlot below = new XYPlot(failures, null, count, new XYLineAndShapeRenderer(true, false));
    NumberAxis seconds = new NumberAxis("seconds from the fault");
    seconds.setTickLabelFont(FONT);
    seconds.setLabelFont(FONT);
    CombinedDomainXYPlot both = new CombinedDomainXYPlot(seconds);
    both.add(above, 3);
    both.add(below, 1);
    for (XYPlot plot : List.of(above, below)) {
      plot.setBackgroundPaint(Color.WHITE);
      plot.setRangeGridlinePaint(new Color(0xDDDDDD));
      for (int i = 0; i < lines.size(); i++) {
        plot.getRenderer().setSeriesPaint(i, SERIES.get(i % SERIES.size()));
        plot.getRenderer().setSeriesStroke(i, new BasicStroke(1.6f));
        if (plot == below) {
          plot.getRenderer().setSeriesVisibleInLegend(i, false);
        }
      }
      plot.addDomainMarker(new ValueMarker(0, new Color(0xC44E52), new BasicStroke(1.2f)));
      plot.addDomainMarker(
          new ValueMarker(
              mended.get(0),
              new Color(0x5B9E5B),
              new BasicStroke(
                  1.2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 1, new float[] {4, 3}, 0)));
    }
    write(file, new JFreeChart(title, FONT.deriveFont(Font.BOLD, 14f), both, true), 460);
  }

  private static void write(Path file, JFreeChart chart, int height) throws IOException {
    chart.setBackgroundPaint(Color.WHITE);
    if (chart.getLegend() != null) {
      chart.getLegend().setItemFont(FONT);
    }
    SVGGraphics2D canvas = new SVGGraphics2D(WIDTH, height);
    // By the file's name, not by the clock: two drawings of the same figures are the same bytes.
    canvas.setDefsKeyPrefix(String.valueOf(file.getFileName()).replaceAll("[^a-z0-9]", ""));
    chart.setElementHinting(false);
    chart.draw(canvas, new Rectangle(WIDTH, height));
    Files.createDirectories(file.toAbsolutePath().getParent());
    Files.writeString(file, canvas.getSVGElement() + "\n");
  }

  /** Who is ours, who is raw and who a peer is seen by colour. */
  private static final class ByContender extends BarRenderer {
    private static final long serialVersionUID = 1;

    private final transient DefaultCategoryDataset bars;

    ByContender(DefaultCategoryDataset bars) {
      this.bars = bars;
    }

    @Override
    public Paint getItemPaint(int row, int column) {
      String contender = bars.getColumnKey(column).toString();
      if (contender.equals(Summary.RAW)) {
        return RAW;
      }
      return contender.equals(Summary.NULL_CONTROL)
          ? CONTROL
          : contender.startsWith("waymark") ? OURS : PEER;
    }
  }
}
