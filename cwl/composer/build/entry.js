/* What the page of `cryoverdict compose` uses of the two libraries, as one global: cwlSvg.

   The main file that cwl-svg's package.json names does not exist, so its index is named here. */
export {
  SelectionPlugin,
  SVGArrangePlugin,
  SVGEdgeHoverPlugin,
  SVGNodeMovePlugin,
  SVGPortDragPlugin,
  Workflow,
  ZoomPlugin,
} from "cwl-svg/index.js";
export { WorkflowFactory } from "cwlts/models";
