"""Videos of a face that speaks: MP4 and HLS, made while their addresses are already known."""
