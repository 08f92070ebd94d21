"""newsrec: fine-tune a language model to recommend news, and measure honestly whether it helped."""
